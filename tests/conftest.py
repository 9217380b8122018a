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
    """Where tests run in two processes, each starts Spark once: tests of the promoted shop in one, all others in one.

    Planning a query keeps one core busy, so two sessions take little more than half the time. Those without go by file.
    """
    for item in items:
        needed = [name for name in ("promoted", "spark") if name in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(needed[0] if needed else item.location[0]))
        if needed:
            item.add_marker(pytest.mark.spark)
