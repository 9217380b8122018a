"""What all tests share: one Spark session."""

import pytest
from pyspark.sql import SparkSession

from lakehouse.session import SMALL_DATA, spark_session


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    return spark_session(SMALL_DATA)
