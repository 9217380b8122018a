"""The one door to Spark: the same settings for spark-submit, python and tests, and only our own words on the screen."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark
from pyspark.sql import SparkSession

from lakehouse.errors import SparkNotStarted
from lakehouse.settings import CONF

SPARK_DEFAULTS = CONF / "spark-defaults.conf"
NOISE = (b"incubator modules", b"netlib-")
SMALL_DATA: Mapping[str, str] = {
    # Compiling pays for itself on millions of rows; on thousands it takes the cores from the work. So Java's second
    # compiler waits longer, Spark interprets its expressions, and a query is planned once.
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -Xmn600m"
    " -XX:Tier4InvocationThreshold=20000 -XX:Tier4MinInvocationThreshold=10000 -XX:Tier4CompileThreshold=40000",
    "spark.driver.memory": "2g",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
}
"""Settings for demonstrations and tests."""


def spark_session(overrides: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process: the active one (spark-submit, Databricks), or a local one as conf/ describes it."""
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    root = str(CONF.parent)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    builder = SparkSession.builder.appName("shoplake")
    for key, value in (defaults() | _delta_package() | dict(overrides or {})).items():
        builder = builder.config(key, value)
    try:
        with _without_noise():
            spark = builder.getOrCreate()
    except Exception as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise SparkNotStarted(
            f"Spark did not start: {first}; check that Java 17 is installed (java -version)"
        ) from error
    spark.sparkContext.setLogLevel("ERROR")
    # PySpark logs every failed query as JSON on the screen; we tell it as our own message.
    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return spark


def defaults(path: Path = SPARK_DEFAULTS) -> dict[str, str]:
    """The settings in conf/spark-defaults.conf, so that they stand in one place."""
    pairs = (line.split(None, 1) for line in path.read_text().splitlines() if line.strip() and not line.startswith("#"))
    return {key: value.strip() for key, value in pairs}


def _delta_package() -> dict[str, str]:
    """Where set-up has not put Delta's JARs beside Spark's (an installed wheel), Spark fetches them at its start."""
    if next(Path(pyspark.__file__).parent.glob("jars/delta-spark_*.jar"), None):
        return {}
    spark = ".".join(pyspark.__version__.split(".")[:2])
    return {"spark.jars.packages": f"io.delta:delta-spark_{spark}_2.13:{importlib.metadata.version('delta-spark')}"}


@contextmanager
def _without_noise() -> Iterator[None]:
    """Pass on what Java writes, without two remarks: on a module that Spark always asks for, and on algebra libraries.

    Java writes to the process's own stderr, so the descriptor is exchanged; what is written later arrives as well.
    """
    reading, writing = os.pipe()
    screen = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    forward = os.dup(screen)
    threading.Thread(target=_forward, args=(reading, forward), daemon=True).start()
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)


def _forward(reading: int, screen: int) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not any(noise in line for noise in NOISE):
                os.write(screen, line)
