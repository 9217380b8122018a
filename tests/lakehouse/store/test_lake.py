"""The warehouse as a run sees it."""

import errno
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import UsageError
from lakehouse.settings import Settings
from lakehouse.store.key import fingerprint
from lakehouse.store.lake import Lake


def test_a_warehouse_makes_its_key_once_and_keeps_it_to_its_owner(spark: SparkSession, tmp_path: Path) -> None:
    key = Lake(lambda: spark, tmp_path, Settings("w", 1, 1)).pseudonym_key()
    assert len(bytes.fromhex(key)) == 32
    assert Lake(lambda: spark, tmp_path, Settings("w", 1, 1)).pseudonym_key() == key
    assert (tmp_path / "ops" / "pseudonym.key").stat().st_mode & 0o777 == 0o600


def lake_with(spark: SparkSession, folder: Path, key: str | None = None) -> Lake:
    return Lake(lambda: spark, folder, Settings("w", 1, 1, pseudonym_key=key))


@pytest.mark.parametrize("content", ["", "\n", "\0" * 64])
def test_a_damaged_key_is_refused(spark: SparkSession, tmp_path: Path, content: str) -> None:
    lake_with(spark, tmp_path).pseudonym_key()
    path = tmp_path / "ops" / "pseudonym.key"
    path.write_text(content)
    with pytest.raises(UsageError, match=rf"{path} (is empty|has the fingerprint)"):
        lake_with(spark, tmp_path).pseudonym_key()
    assert path.read_text() == content


@pytest.mark.parametrize("has_fingerprint", [True, False])
def test_a_key_that_is_gone_is_not_made_again(spark: SparkSession, tmp_path: Path, has_fingerprint: bool) -> None:
    lake_with(spark, tmp_path).pseudonym_key()
    (tmp_path / "ops" / "pseudonym.key").unlink()
    if not has_fingerprint:
        (tmp_path / "ops" / "pseudonym.fingerprint").unlink()
    with pytest.raises(UsageError, match=r"pseudonym\.key is gone, .*; restore it from a backup"):
        lake_with(spark, tmp_path).pseudonym_key(in_use=True)
    assert not (tmp_path / "ops" / "pseudonym.key").exists()


def test_a_warehouse_without_a_fingerprint_gets_that_of_its_key(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "pseudonym.key").write_text("of before")
    assert lake_with(spark, tmp_path).pseudonym_key(in_use=True) == "of before"
    assert (tmp_path / "ops" / "pseudonym.fingerprint").read_text() == fingerprint("of before")


@pytest.mark.parametrize("key", ["another", "", " ", "k" * 65])
def test_another_configured_key_is_refused_and_the_way_out_is_told(
    spark: SparkSession, tmp_path: Path, key: str
) -> None:
    assert lake_with(spark, tmp_path, "the first").pseudonym_key() == "the first"
    with pytest.raises(UsageError, match="pseudonym_key in conf/ ") as refused:
        lake_with(spark, tmp_path, key).pseudonym_key()
    assert key != "another" or f"made by a key with {fingerprint('the first')}; configure that key" in str(
        refused.value
    )
    assert lake_with(spark, tmp_path, "the first").pseudonym_key() == "the first"


def test_a_file_system_that_cannot_lock_or_link_is_told_at_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "link", refuses)
    with pytest.raises(UsageError, match=rf"{tmp_path}: its file system has no locks, .* \(Function not implemented\)"):
        lake_with(spark, tmp_path)
    assert list((tmp_path / "ops").iterdir()) == []
