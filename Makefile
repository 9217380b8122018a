# Everything starts here: `make` lists what there is. Each target sets up what it needs by itself.

BIN := .venv/bin
# spark-submit finds Spark, and Spark its Python, through the environment that is first on PATH; another Spark on this
# machine must not get in between.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Models here are of small matrices: threads that wait for each other would take the cores from Spark.
export OMP_NUM_THREADS ?= 1
unexport SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long check lint format bench report board docs mlflow lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Set up Python, Java and Delta's JARs for this clone (the other targets do it by themselves)
	@scripts/setup

demo: setup ## Make a shop, run it through the lakehouse and show what comes out
	@$(BIN)/python jobs/demo.py

# In the order of the files: by default those with most tests come first, and the longest, which are few, alone at the end.
test: lint ## Check and test everything
	@$(BIN)/pytest --numprocesses 2 --dist loadgroup --no-loadscope-reorder

test-long: lint ## Sweep what make test samples: thousands of deliveries, a hundred kills (hours)
	@$(BIN)/pytest -m long

check: lint ## Check style and types, and test what needs no Spark: minutes less than all of it
	@$(BIN)/pytest --numprocesses 2 --dist loadgroup -m "not spark and not real_data and not long" \
		tests/lakehouse tests/bronze tests/silver tests/gold tests/ml

lint: setup ## Check style, types and the direction of imports
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --diff
	@scripts/check-suppressions
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## Bring the code into its one style
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format

bench: setup ## Compare against other tools, with ratios from one run
	@$(BIN)/python -m benchmarks

report: setup ## Write the catalogue of warehouse/: tables, lineage, ledger, quarantine, as static pages
	@$(BIN)/shoplake report

board: setup ## Open the board on a warehouse (WAREHOUSE=demo/warehouse)
	@$(BIN)/shoplake board $(if $(WAREHOUSE),--warehouse $(WAREHOUSE))

docs: setup ## Build the site of docs/ into build/site: tables and commands come from the code, links are checked
	@$(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

mlflow: setup ## Open the MLflow UI on the models of a warehouse (WAREHOUSE=demo/warehouse)
	@$(BIN)/shoplake mlflow-ui $(if $(WAREHOUSE),--warehouse $(WAREHOUSE))

lock: ## Choose the newest versions that fit pyproject.toml and pin them (needs uv)
	@uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--quiet --custom-compile-command "make lock" --output-file requirements.lock

clean: ## Remove what was built, cached and written by the demo; the environment stays
	@rm -rf build dist demo warehouse spark-warehouse metastore_db derby.log setup.log \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
