"""What all tests share: one Spark session, and which of them need it."""

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
    """Where tests run in two processes, all that need Spark go to one, so that it starts once; others go by file."""
    for item in items:
        needs_spark = "spark" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("spark" if needs_spark else item.location[0]))
