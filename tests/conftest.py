"""What all tests share: a Spark session per process, and which tests need it."""

import sys

import pytest
from pyspark.sql import SparkSession

from lakehouse.session import SMALL_DATA, spark_session

# PySpark takes a main module without a file, as the processes of pytest-xdist have, for a doctest, and ends it.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.ps1 = ""


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return spark_session(SMALL_DATA)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in two processes, each starts Spark once: tests of the promoted shop go to one, others by file.

    Planning a query keeps one core busy, so two sessions take little more than half the time.
    """
    for item in items:
        needed = getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("promoted" if "promoted" in needed else item.location[0]))
        if "spark" in needed:
            item.add_marker(pytest.mark.spark)
