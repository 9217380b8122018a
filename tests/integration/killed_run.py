"""A run that is killed: `python -m tests.integration.killed_run WAREHOUSE INPUTS STEP POINT` never comes to its end.

Where the gateway of a running Java is named in the environment (`PYSPARK_GATEWAY_PORT`), the run is its guest, with a
session of its own: it starts in a second. Nothing is under way in Java at any of the points.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession
from rich.console import Console

from jobs.steps import ALL
from lakehouse.accounts import journal
from lakehouse.promotion import promote, quarantine
from lakehouse.run.console import run_shown
from lakehouse.session import SMALL_DATA, spark_session
from tests.integration.warehouse import lake_at

POINTS: dict[str, tuple[ModuleType, str]] = {
    "staged": (promote, "stage_rows"),
    "judged": (promote, "_evaluate"),
    "noted": (promote, "_note_batch"),
    "published": (promote, "_publish"),
    "quarantined": (quarantine, "keep"),
    "finalized": (promote, "_finalize"),
    "flushing": (journal, "_append_new"),
}
"""After which function the run is killed; the last moves the first of the ops tables' rows."""


def main(warehouse: str, inputs: str, step: str, point: str) -> None:
    """Run one step and die at the point."""
    module, name = POINTS[point]
    function = getattr(module, name)

    def last(*arguments: Any, **options: Any) -> None:
        function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, last)
    spark = _guest() if "PYSPARK_GATEWAY_PORT" in os.environ else spark_session(SMALL_DATA)
    lake = lake_at(spark, Path(warehouse))
    run_shown(lake, [s for s in ALL if s.name == step], Console(), inputs=Path(inputs))


def _guest() -> SparkSession:
    """A new session in the Java that another process has started."""
    gateway = launch_gateway()  # type: ignore[no-untyped-call]  # PySpark declares none here
    spark = gateway.jvm.org.apache.spark
    context = spark.api.java.JavaSparkContext.fromSparkContext(spark.SparkContext.getOrCreate())
    own = SparkContext(gateway=gateway, jsc=context, conf=SparkConf(_jconf=context.getConf()))
    return SparkSession(own, spark.sql.classic.SparkSession.getDefaultSession().get().newSession())


if __name__ == "__main__":
    main(*sys.argv[1:])
