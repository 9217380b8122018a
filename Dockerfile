# One image for everything that is started: jobs, board, API, BI. compose.yaml starts it with MLflow and PostgreSQL.
FROM python:3.12-slim-bookworm AS shoplake
# Spark needs Java and ps, LightGBM OpenMP.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless libgomp1 procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/shoplake
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
# What changes seldom and takes long: the packages of the lock, and Delta's JARs.
COPY pyproject.toml requirements.lock LICENSE ./
COPY scripts scripts
COPY conf conf
RUN PYTHON=python3.12 scripts/setup && rm setup.log
COPY . .
# Nobody but root changes the program; what it writes lies in volumes.
RUN useradd --uid 1000 --create-home shoplake && mkdir /warehouse && chown shoplake /warehouse
USER 1000
ENV PATH=/opt/shoplake/.venv/bin:$PATH SHOPLAKE_WAREHOUSE=/warehouse
VOLUME /warehouse
ENTRYPOINT ["shoplake"]
CMD ["--help"]

# MLflow's server for many: with the driver of PostgreSQL.
FROM shoplake AS mlflow
USER 0
RUN .venv/bin/pip install psycopg2-binary==2.9.13 && mkdir /artifacts && chown shoplake /artifacts
USER 1000
VOLUME /artifacts
ENTRYPOINT ["mlflow", "server"]
