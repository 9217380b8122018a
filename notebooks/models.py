# Databricks notebook source
# MAGIC %md
# MAGIC # Comparing models in MLflow
# MAGIC Which versions were trained, on what evidence one is champion or not, and what was tried on the way. The same
# MAGIC runs, with all their pictures, are in the MLflow UI: `shoplake mlflow-ui`.

# COMMAND ----------

import mlflow
import pandas as pd

from jobs.notebook import opened
from ml.core import moves
from ml.core.tracking import Store
from serving import figures

reader, shop, currency = opened(dbutils)
store = Store(reader.lake)
mlflow.set_tracking_uri(store.uri)
print(f"Registered models: {', '.join(store.names()) or 'none yet; shoplake train FAMILY makes one'}")

# COMMAND ----------

# MAGIC %md
# MAGIC ## What became champion, and why
# MAGIC A model becomes champion only if the whole 95 % interval of its error lies below that of a plain baseline.
# MAGIC Otherwise it is a challenger, and the baseline or the older champion goes on scoring.

# COMMAND ----------

made = pd.DataFrame(moves.made(reader.lake), columns=["at", "model", "alias", "from_version", "to_version", "why"])
display(made)

# COMMAND ----------

# MAGIC %md
# MAGIC ## All versions of this shop
# MAGIC From `gold.model_scorecard`: what was measured of each version on time that it had not seen.

# COMMAND ----------

if "gold.model_scorecard" in reader.tables:
    versions = reader.frame(
        """
        SELECT family, version, is_champion, trained_at, held_out, measure, value
        FROM gold.model_scorecard WHERE shop_id = ? AND value IS NOT NULL ORDER BY family, version DESC, measure
        """,
        [shop],
    )
    display(versions.to_pandas())

# COMMAND ----------

# MAGIC %md
# MAGIC ## What was tried in the newest training
# MAGIC Folds, members, numbers of clusters: the runs below the newest run of each family.

# COMMAND ----------

MEASURES = {"forecast": "MASE", "recommend": "ndcg", "segment": "r2_held_out"}  # MASE: small is good

for experiment in sorted(mlflow.search_experiments(), key=lambda found: found.name):
    measure = MEASURES.get(experiment.name)
    runs = mlflow.search_runs([experiment.experiment_id], output_format="list") if measure else []
    below = {run.info.run_id: run.data.tags.get("mlflow.parentRunId") for run in runs}
    parents = [run for run in runs if not below[run.info.run_id] and run.info.run_name == f"{experiment.name}-{shop}"]
    if not parents:
        continue
    newest = max(parents, key=lambda run: run.info.start_time)
    print(f"{newest.info.run_name}: {newest.data.tags.get('decision', 'no decision')}")
    trials = [run for run in runs if below[run.info.run_id] == newest.info.run_id and measure in run.data.metrics]
    table = pd.DataFrame([{"trial": run.info.run_name} | run.data.metrics for run in trials])
    if len(table):
        table = table.sort_values([measure, "trial"], ascending=measure == "MASE").dropna(axis="columns", how="all")
        title = f"{experiment.name}: {table['trial'].iloc[0]} has the best {measure} of what was tried"
        display(figures.bars(table["trial"], table[measure], title, measure))
        display(table)

# COMMAND ----------

# MAGIC %md
# MAGIC ## What a training read
# MAGIC Tables with their versions, as MLflow noted them: the same versions and the same seed give the same model.

# COMMAND ----------

for name in store.names():
    version = store.versions(name)[-1]
    inputs = mlflow.get_run(version.run_id).inputs.dataset_inputs
    print(f"{name} version {version.version}: {', '.join(sorted(each.dataset.name for each in inputs))}")
