"""What is found rather than declared is read, and said: encodings, delimiters, headers; and files that nobody takes."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lakehouse.declare.table import Step
from lakehouse.errors import UsageError
from lakehouse.intake.feeds import Feed, as_delivered, feed_table
from lakehouse.intake.files import FileReport, discover, read_file, unclaimed
from lakehouse.run.options import check_inputs

FEED = Feed("shop", "things", "things/things_*.csv*", {name: (name,) for name in ("thing_id", "name", "price")})
TABLE = feed_table("bronze.things", "Things.", FEED, dict.fromkeys(FEED.columns, "text"))
ROWS = [("1", "Café", "1.50"), ("2", "Löffel", "2.00")]
TEXT = "thing_id,name,price\n1,Café,1.50\n2,Löffel,2.00\n"


def read(folder: Path, content: bytes) -> tuple[FileReport, list[tuple[str | None, ...]]]:
    path = folder / "in" / "things" / "things_1.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (found,) = discover(FEED, folder / "in", ()).new
    at = datetime(2026, 1, 1, tzinfo=UTC)
    report = read_file(found, FEED, tuple(TABLE.all_columns), str(folder / "staging"), "b1", at)
    parts = (folder / "staging" / "accepted").glob("*.parquet")
    rows = [row for part in parts for row in pq.ParquetFile(part).read(list(FEED.columns)).to_pylist()]
    return report, [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode("utf-8-sig"), ""),
        (TEXT.encode("cp1252"), "read as cp1252"),
        (TEXT.encode("utf-16"), ""),
        (TEXT.replace(",", ";").encode(), "delimiter ';'"),
        (TEXT.replace(",", "\t").encode(), "delimiter"),
        (("sep=;\n" + TEXT.replace(",", ";")).encode(), "first line says"),
        (TEXT.replace("thing_id,name", "Thing ID, NAME").encode(), ""),
    ],
    ids=["utf-8", "mark", "cp1252", "utf-16", "semicolon", "tab", "sep", "header"],
)
def test_what_can_be_found_is_read_and_said(tmp_path: Path, content: bytes, said: str) -> None:
    report, rows = read(tmp_path, content)
    assert report.status == "loaded"
    assert rows == ROWS
    assert said in report.message
    assert bool(report.message) == bool(said)
    assert report.is_balanced


def test_a_byte_that_windows_does_not_know_either_is_latin_1(tmp_path: Path) -> None:
    report, rows = read(tmp_path, TEXT.replace("Café", "Caf\x81").encode("latin-1"))
    assert "read as latin-1" in report.message
    assert rows[0][1] == "Caf\x81"


def test_a_header_without_a_record_is_remarked_on(tmp_path: Path) -> None:
    report, rows = read(tmp_path, b"thing_id,name,price\n")
    assert (report.status, rows) == ("loaded", [])
    assert "no record" in report.message


def test_files_that_belong_to_no_feed_are_named_with_what_was_meant(tmp_path: Path) -> None:
    for name in ("things/things_1.csv", "things/thing_2.csv", "things/THINGS_3.CSV", "things/things_4.csv.part"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(TEXT)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "dirt.json").touch()
    (tmp_path / ".DS_Store").touch()
    told = unclaimed([FEED.pattern], tmp_path)
    assert [text.split()[0] for text in told] == [
        "things/THINGS_3.CSV",
        "things/thing_2.csv",
        "things/things_4.csv.part",
    ]
    assert all(FEED.pattern in text for text in told[:2])
    assert "still being delivered" in told[2]


@pytest.mark.parametrize("given", ["in/things", "."])
def test_an_input_folder_that_is_too_deep_or_too_high_is_told(tmp_path: Path, given: str) -> None:
    read(tmp_path, TEXT.encode())
    step = Step(TABLE, as_delivered, feed=FEED, source="shop")
    with pytest.raises(UsageError, match=r"did you mean .*in\?"):
        check_inputs([step], tmp_path / given)
