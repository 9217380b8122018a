"""The warehouse as a run sees it."""

from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.settings import Settings
from lakehouse.store.lake import Lake


def test_a_warehouse_makes_its_key_once_and_keeps_it_to_its_owner(spark: SparkSession, tmp_path: Path) -> None:
    key = Lake(spark, tmp_path, Settings("w", 1, 1)).pseudonym_key()
    assert len(bytes.fromhex(key)) == 32
    assert Lake(spark, tmp_path, Settings("w", 1, 1)).pseudonym_key() == key
    assert (tmp_path / "ops" / "pseudonym.key").stat().st_mode & 0o777 == 0o600
