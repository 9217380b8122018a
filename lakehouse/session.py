"""The one door to Spark: the same settings for spark-submit, python and tests, and nothing on the screen that is not ours."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.errors import UsageError
from lakehouse.settings import CONF

SPARK_DEFAULTS = CONF / "spark-defaults.conf"


def spark_session(overrides: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process: the active one (spark-submit, Databricks), or a local one as conf/ describes it."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    root = str(CONF.parent)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    builder = SparkSession.builder.appName("shoplake")
    for key, value in (defaults() | dict(overrides or {})).items():
        builder = builder.config(key, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise UsageError(
            f"Spark did not start: {str(error).splitlines()[0]}; check that Java 17 is installed (java -version)"
        ) from error
    spark.sparkContext.setLogLevel("ERROR")
    # PySpark logs every failed analysis as JSON on the screen; we tell it as our own message.
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    return spark


def defaults(path: Path = SPARK_DEFAULTS) -> dict[str, str]:
    """The settings in conf/spark-defaults.conf, so that they stand in one place."""
    pairs = (line.split(None, 1) for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}
