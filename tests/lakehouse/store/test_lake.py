"""The warehouse as a run sees it: the key of the pseudonyms."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import UsageError
from lakehouse.settings import load
from lakehouse.store.lake import Lake


def lake_at(folder: Path, key: str | None = None) -> Lake:
    # No session is needed to keep a key.
    return Lake(cast(SparkSession, None), folder, replace(load("local"), pseudonym_key=key))


def test_a_warehouse_makes_its_key_once(tmp_path: Path) -> None:
    key = lake_at(tmp_path).pseudonym_key()
    assert len(key) == 64
    assert lake_at(tmp_path).pseudonym_key() == key
    assert (tmp_path / "ops" / "pseudonym.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("harm", ["empty", "gone", "other"])
def test_a_key_that_is_not_the_warehouse_s_own_is_refused(tmp_path: Path, harm: str) -> None:
    lake_at(tmp_path).pseudonym_key()
    path = tmp_path / "ops" / "pseudonym.key"
    if harm == "gone":
        path.unlink()
    else:
        path.write_text("" if harm == "empty" else "another key")
    with pytest.raises(UsageError, match=r"empty|gone|not the one"):
        lake_at(tmp_path).pseudonym_key()


def test_a_configured_key_must_stay_the_same(tmp_path: Path) -> None:
    assert lake_at(tmp_path, "a secret").pseudonym_key() == "a secret"
    with pytest.raises(UsageError, match="not the one that this warehouse was made with"):
        lake_at(tmp_path, "another secret").pseudonym_key()
