"""Journals survive what disks do: one that cannot be read is set aside and told, and the others go on."""

from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.accounts.journal import Journal, journals, set_aside
from lakehouse.session import spark_session
from lakehouse.settings import load
from lakehouse.store.lake import Lake


@pytest.mark.parametrize("content", ["", '{"batch_id": "b1", "ta', "\0" * 64, "[]", '{"batch_id": "b1"}'])
def test_a_journal_that_cannot_be_read_is_set_aside_and_told(tmp_path: Path, content: str) -> None:
    said: list[str] = []
    lake = Lake(spark_session, tmp_path, load("local"), say=said.append)
    Journal(lake.journal / "b2.json", "b2", "silver.things", "step").save()
    (lake.journal / "b1.json").write_text(content)
    assert [journal.batch_id for journal in journals(lake)] == ["b2"], "a reader passes over it"
    set_aside(lake)
    assert len(said) == 1
    assert "b1.json" in said[0]
    assert (lake.journal / "broken" / "b1.json").read_text() == content
    assert [journal.batch_id for journal in journals(lake)] == ["b2"]


def test_a_journal_is_whole_or_not_there(tmp_path: Path) -> None:
    lake = Lake(spark_session, tmp_path, replace(load("local")))
    Journal(lake.journal / "b1.json", "b1", "silver.things", "step", notes={"rows": 3}).save()
    assert [path.name for path in lake.journal.iterdir()] == ["b1.json"]
    assert next(journals(lake)).notes == {"rows": 3}
