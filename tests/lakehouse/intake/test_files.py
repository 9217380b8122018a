"""Delivered files: every line is accounted for, every fault is told, and nothing half-read is left behind."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lakehouse.errors import AccountsImbalance, UsageError
from lakehouse.intake import files, records
from lakehouse.intake.feeds import Feed, feed_table
from lakehouse.intake.files import DeliveredFile, FileReport, discover, read_file, read_files

AT = datetime(2024, 5, 1, 6, 30, tzinfo=UTC)
FEED = Feed(
    source="shop",
    name="sales",
    pattern="sales/sales_*.csv*",
    columns={"sale_id": ("sale_id", "Sale ID"), "product": ("product",), "note": ("note",)},
    optional=("note",),
)
ONE_LINE = replace(FEED, multiline=False)
JSON = replace(FEED, format="jsonl", pattern="sales/sales_*.json*")
COLUMNS = ("sale_id", "product", "note", "_rescued_data", "_source_file", "_source_row", "_ingested_at", "_batch_id")
GOOD = b"sale_id,product,note\n" + b"1,mug,x\n" * 500


class Read:
    """One file, delivered as these bytes and read."""

    def __init__(
        self, folder: Path, content: bytes, feed: Feed = FEED, name: str = "sales_1.csv", **options: int
    ) -> None:
        path = folder / "in" / "sales" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found = discover(feed, folder / "in", ())
        delivered = found.new[0] if found.new else DeliveredFile(str(path), f"sales/{name}", "0" * 64, len(content))
        self.staging = folder / "staging"
        self.report = read_file(delivered, feed, COLUMNS, str(self.staging), "b1", AT, **options)
        self.accepted = self._rows("accepted")
        self.quarantined = self._rows("quarantined")

    def _rows(self, part: str) -> list[dict[str, Any]]:
        parts = sorted((self.staging / part).glob("*.parquet"))
        return [row for path in parts for row in pq.ParquetFile(path).read().to_pylist()]

    @property
    def values(self) -> list[tuple[Any, ...]]:
        return [(row["_source_row"], row["sale_id"], row["product"], row["note"]) for row in self.accepted]

    @property
    def reasons(self) -> list[tuple[int, str, str]]:
        return [(row["_source_row"], row["_row"], row["_errors"][0]["message"]) for row in self.quarantined]

    @property
    def accounts(self) -> tuple[int, ...]:
        r = self.report
        assert r.is_balanced
        return r.lines, r.header_lines, r.blank_lines, r.continuation_lines, r.records, r.broken


# What is read


def test_each_record_becomes_a_row_of_text_with_its_line(tmp_path: Path) -> None:
    read = Read(tmp_path, b"sale_id,product,note\n1,mug,\n2, cup ,NULL\n")
    assert read.values == [(2, "1", "mug", ""), (3, "2", " cup ", "NULL")]
    assert read.accepted[0] | {"sale_id": "1"} == {
        "sale_id": "1",
        "product": "mug",
        "note": "",
        "_rescued_data": None,
        "_source_file": "sales/sales_1.csv",
        "_source_row": 2,
        "_ingested_at": AT,
        "_batch_id": "b1",
    }
    assert tuple(read.accepted[0]) == COLUMNS
    assert read.accounts == (3, 1, 0, 0, 2, 0)
    assert read.quarantined == []


@pytest.mark.parametrize(
    ("content", "lines", "blank"),
    [
        pytest.param(b"sale_id,product,note\r\n1,mug,x\r\n", 2, 0, id="crlf"),
        pytest.param(b"sale_id,product,note\n1,mug,x", 2, 0, id="no final line break"),
        pytest.param(b"sale_id,product,note\r\n1,mug,x\r", 2, 0, id="a final carriage return"),
        pytest.param(codecs.BOM_UTF8 + b"sale_id,product,note\n1,mug,x\n", 2, 0, id="byte order mark"),
        pytest.param(b"sale_id , product, note \n1,mug,x\n", 2, 0, id="spaces in the header"),
        pytest.param(b"Sale ID,product,note\n1,mug,x\n", 2, 0, id="alias"),
        pytest.param(b"note,sale_id,product\nx,1,mug\n", 2, 0, id="another order of columns"),
        pytest.param(b'"sale_id","product","note"\n"1","mug","x"\n', 2, 0, id="all quoted"),
        pytest.param(b"sale_id,product,note\n1,mug,x\n\n  \n\r\n", 5, 3, id="blank lines at the end"),
    ],
)
def test_the_same_sale_is_read_from_each_dialect(tmp_path: Path, content: bytes, lines: int, blank: int) -> None:
    read = Read(tmp_path, content)
    assert read.values == [(2, "1", "mug", "x")]
    assert read.accounts == (lines, 1, blank, 0, 1, 0)


def test_blank_lines_count_and_move_the_line_numbers(tmp_path: Path) -> None:
    read = Read(tmp_path, b"\n\nsale_id,product,note\n\n1,mug,x\n \t \n\n2,cup,y\n")
    assert read.values == [(5, "1", "mug", "x"), (8, "2", "cup", "y")]
    assert read.accounts == (8, 1, 5, 0, 2, 0)


def test_a_header_alone_is_a_file_without_records_and_says_so(tmp_path: Path) -> None:
    for number, content in enumerate(
        [b"sale_id,product,note", b"\nsale_id,product,note\r\n\n", b"sep=,\nsale_id,product\n"]
    ):
        read = Read(tmp_path / str(number), content)
        assert (read.report.status, read.report.records, read.report.broken) == ("loaded", 0, 0)
        assert read.report.message == "sales/sales_1.csv has a header and no record"
        assert read.accounts[0] == sum(read.accounts[1:])
    assert Read(tmp_path / "broken", b"sale_id,product\n1\n").report.message == ""


def test_gzip_and_other_encodings_and_delimiters(tmp_path: Path) -> None:
    text = "sale_id;product;note\n1;Müslischale;à 5 €\n"
    feed = replace(FEED, delimiter=";", encoding="cp1252")
    read = Read(tmp_path, gzip.compress(text.encode("cp1252")), feed, "sales_1.csv.gz")
    assert read.values == [(2, "1", "Müslischale", "à 5 €")]
    utf16 = Read(tmp_path / "2", text.encode("utf-16"), replace(feed, encoding="utf-16"))
    assert utf16.values == read.values
    assert utf16.accounts == (2, 1, 0, 0, 1, 0)


def test_columns_that_the_feed_does_not_know_are_rescued(tmp_path: Path) -> None:
    read = Read(tmp_path, b'warehouse,product,sale_id,\n"N\xc3\xb6rd ""2""",mug,1,z\n,cup,2,\n')
    assert [json.loads(row["_rescued_data"]) for row in read.accepted] == [
        {"warehouse": 'Nörd "2"', "column 4": "z"},
        {"warehouse": "", "column 4": ""},
    ]
    assert read.values == [(2, "1", "mug", None), (3, "2", "cup", None)]
    assert read.report.new_columns == ("warehouse", "column 4")
    assert read.report.missing_columns == ("note",)


def test_a_new_column_named_like_one_of_ours_is_not_taken_for_it(tmp_path: Path) -> None:
    feed = replace(FEED, columns={"sale_id": ("Sale ID",), "product": ("product",), "note": ("note",)})
    read = Read(tmp_path, b"Sale ID,product,sale_id\n1,mug,one\n", feed)
    assert read.values == [(2, "1", "mug", None)]
    assert read.accepted[0]["_rescued_data"] == '{"sale_id": "one"}'


# Broken lines


def test_a_broken_line_is_quarantined_with_its_text_and_reason(tmp_path: Path) -> None:
    read = Read(tmp_path, b"sale_id,product,note\r\n1,mug,x\r\n2\r\n\r\n3,cup,y,z \r\n4,jug,w\r\n")
    assert read.values == [(2, "1", "mug", "x"), (6, "4", "jug", "w")]
    assert read.reasons == [
        (3, "2", "1 field, the header has 3"),
        (5, "3,cup,y,z ", "4 fields, the header has 3"),
    ]
    assert tuple(read.quarantined[0]) == (
        "_row",
        "_errors",
        "_source_file",
        "_source_row",
        "_ingested_at",
        "_batch_id",
    )
    assert read.quarantined[0]["_errors"] == [
        {"rule": "line.fields", "message": "1 field, the header has 3", "columns": []}
    ]
    assert read.accounts == (6, 1, 1, 0, 2, 2)


@pytest.mark.parametrize("feed", [ONE_LINE, FEED], ids=["one line", "several lines"])
@pytest.mark.parametrize("tail", [b"", b"3,jug,z\n", b'3,"a ""jug""",z\n4,"x",y\n'])
def test_an_unclosed_quote_loses_its_line_alone(tmp_path: Path, feed: Feed, tail: bytes) -> None:
    read = Read(tmp_path, b'sale_id,product,note\n1,"mug,x\n2,"cup, big",y\n' + tail, feed)
    assert read.reasons == [(2, '1,"mug,x', read.quarantined[0]["_errors"][0]["message"])]
    assert read.reasons[0][2].startswith("a quote is opened and not closed")
    assert [row[:2] for row in read.values] == [(3, "2"), (4, "3"), (5, "4")][: 1 + tail.count(b"\n")]
    assert read.quarantined[0]["_errors"][0]["rule"] == "line.quote"


@pytest.mark.parametrize("feed", [ONE_LINE, FEED], ids=["one line", "several lines"])
def test_an_unclosed_quote_in_the_last_line_without_line_break_is_broken(tmp_path: Path, feed: Feed) -> None:
    read = Read(tmp_path, b'sale_id,product,note\n1,mug,x\n2,cup,"y', feed)
    assert read.reasons == [(3, '2,cup,"y', "a quote is opened and not closed")]
    assert read.accounts == (3, 1, 0, 0, 1, 1)


def test_line_breaks_in_values_are_kept_where_the_feed_allows_them(tmp_path: Path) -> None:
    content = b'sale_id,product,note\n1,"mug\r\nred",x\n2,cup,"a\n\nb"\n3,jug,y\n'
    read = Read(tmp_path, content)
    assert read.values == [(2, "1", "mug\r\nred", "x"), (4, "2", "cup", "a\n\nb"), (7, "3", "jug", "y")]
    assert read.accounts == (7, 1, 0, 3, 3, 0)
    strict = Read(tmp_path / "2", content, ONE_LINE)
    assert [row[:2] for row in strict.values] == [(7, "3")]
    assert strict.accounts == (7, 1, 1, 0, 1, 4)


def test_a_record_may_be_as_long_as_the_limit_and_no_longer(tmp_path: Path) -> None:
    for lines in (records.MAX_RECORD_LINES, records.MAX_RECORD_LINES + 1):
        value = "\n".join("x" * lines)
        read = Read(tmp_path / str(lines), f'sale_id,product,note\n1,mug,"{value}"\n2,cup,y\n'.encode())
        good = lines <= records.MAX_RECORD_LINES
        assert read.values[0] == ((2, "1", "mug", value) if good else (lines + 2, "2", "cup", "y"))
        assert (read.report.broken == 0) is good
        assert read.report.is_balanced


def test_a_carriage_return_between_values_is_not_taken_for_a_line(tmp_path: Path) -> None:
    read = Read(tmp_path, b'sale_id,product,note\n1,mug,x\r2,cup,y\n3,"ju\rg",z\n4,"a",b\r5,"c",d\n')
    assert read.values == [(3, "3", "ju\rg", "z")]
    assert [reason[2] for reason in read.reasons] == ["a carriage return stands between values"] * 2
    assert read.accounts == (4, 1, 0, 0, 1, 2)


def test_a_long_record_crosses_blocks_and_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_CAREFUL_BYTES", 64)
    note = "\n".join(["some, text"] * 90)
    rows = [f'{number},mug,"{note}"\n{number},"cup\n' for number in range(50)]
    read = Read(tmp_path, ("sale_id,product,note\n" + "".join(rows)).encode(), block_bytes=500)
    assert read.report.records + read.report.broken == 100
    assert read.accounts == (1 + 50 * 91, 1, 0, 50 * 89, 50, 50)
    assert {row["note"] for row in read.accepted} == {note}


def test_files_are_read_in_blocks_with_exact_line_numbers(tmp_path: Path) -> None:
    made = random.Random(5)
    lines = ["sale_id,product,note"]
    for number in range(3000):
        lines += made.choices(["", f"{number},mug", f'{number},"cup', f'{number},"a ""b""",ö'], [1, 1, 1, 40])
    read = Read(tmp_path, "\n".join(lines).encode(), block_bytes=999)
    assert read.values == [
        (at, line.split(",")[0], 'a "b"', "ö") for at, line in enumerate(lines, 1) if line.endswith(",ö")
    ]
    assert [(row["_source_row"], row["_row"]) for row in read.quarantined] == [
        (at, line) for at, line in enumerate(lines, 1) if at > 1 and line and not line.endswith(",ö")
    ]


def _deal(content: bytes, feed: Feed, block_bytes: int) -> tuple[Any, ...]:
    """Accounts, records (line, values) and broken lines of a text, straight from the parser."""
    for trailing in (None, True):
        try:
            return _dealt(content, feed, block_bytes, trailing)
        except records.OtherDialect:
            continue
    return _dealt(content, feed, block_bytes, trailing=False)


def _dealt(content: bytes, feed: Feed, block_bytes: int, trailing: bool | None) -> tuple[Any, ...]:
    parser = records.parser_of(feed, "x.csv", trailing)
    line, rest, good, broken, told = 1, b"", [], [], [0, 0, 0]
    chunks = [content[at : at + block_bytes] for at in range(0, len(content), block_bytes)]
    for chunk in [*chunks, b""]:
        block = rest + chunk
        if not chunk and block and not block.endswith(b"\n"):
            block += b"\n"
        end = block.rfind(b"\n") + 1
        pieces = list(parser.pieces(block[:end], line, not chunk)) if end else []
        for piece in pieces:
            columns = [piece.values[name].to_pylist() for name in ("sale_id", "product", "note") if piece.values]
            good += list(zip(piece.rows.tolist(), *columns, strict=True))
            broken += [(each.line, each.text) for each in piece.broken]
            told = [told[0] + piece.blank, told[1] + piece.continuation, told[2] + piece.lines]
            line += piece.lines
        rest = block[sum(piece.size for piece in pieces) :]
    assert rest == b""
    return parser.header_lines, *told, good, broken


TOKENS = st.sampled_from(
    ["a", "ö", '"', '""', ",", "\n", "\r\n", "\r", " ", "1,2,3\n", '"x\ny",', '1,"b c",3\n', "\ufeff", "1,2,3,\n", "\0"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TOKENS, max_size=40), st.booleans(), st.integers(1, 60))
def test_every_line_is_accounted_for_and_the_quick_way_agrees_with_the_careful_one(
    tokens: list[str], multiline: bool, block_bytes: int
) -> None:
    feed = replace(FEED, multiline=multiline)
    content = "".join(["sale_id,product,note\n", *tokens]).encode()
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    header, blank, continuation, read, good, broken = _deal(content, feed, len(content) + 1)
    assert read == lines == header + blank + continuation + len(good) + len(broken)
    assert _deal(content, feed, block_bytes) == (header, blank, continuation, read, good, broken)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records._CsvParser, "_quickly", lambda *_: None)
        assert _deal(content, feed, len(content) + 1) == (header, blank, continuation, read, good, broken)
    texts = content.decode().split("\n")
    assert all(texts[at - 1].removesuffix("\r") == text for at, text in broken)


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=12)
ROWS = st.lists(st.tuples(VALUES, VALUES, VALUES).filter(lambda row: any(value.strip() for value in row)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(ROWS, st.data(), st.sampled_from(["\n", "\r\n"]))
def test_every_good_record_comes_back_as_written_among_blank_and_cut_lines(
    rows: list[tuple[str, ...]], data: st.DataObject, line_break: str
) -> None:
    content, expected, cut, line = "sale_id,product,note" + line_break, [], [], 2
    for row in rows:
        for dirt in data.draw(st.lists(st.sampled_from(["", "7,8", '7,"8"', "1,2,3,4"]), max_size=2)):
            content += dirt + line_break
            cut += [(line, dirt)] if dirt else []
            line += 1
        written = io.StringIO()
        csv.writer(written, lineterminator=line_break, quoting=csv.QUOTE_ALL).writerow(row)
        expected.append((line, *row))
        content += written.getvalue()
        line += written.getvalue().count("\n")
    _, _, _, lines, good, broken = _deal(content.encode(), FEED, data.draw(st.integers(1, 200)))
    assert (good, broken, lines) == (expected, cut, line - 1)


# What is not as declared, and read with a note


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        (b"SALE_ID,product,Note", "SALE_ID for sale_id, Note for note"),
        (b"sale-id,PRODUCT,note", "sale-id for sale_id, PRODUCT for product"),
        (b" Sale   Id ,product,note", "Sale   Id for sale_id"),
    ],
)
def test_a_header_in_another_spelling_is_understood_and_noted(tmp_path: Path, header: bytes, taken: str) -> None:
    read = Read(tmp_path, header + b"\n1,mug,x\n")
    assert read.values == [(2, "1", "mug", "x")]
    assert read.report.message == f"sales/sales_1.csv names in its header were taken for others: {taken}"
    assert (read.report.new_columns, read.report.missing_columns) == ((), ())


def test_an_exact_name_goes_before_one_in_another_spelling_and_two_of_these_are_none(tmp_path: Path) -> None:
    exact = Read(tmp_path / "1", b"SALE_ID,sale_id,product,note\n9,1,mug,x\n")
    assert exact.values == [(2, "1", "mug", "x")]
    assert (exact.report.new_columns, exact.report.message) == (("SALE_ID",), "")
    optional = Read(tmp_path / "2", b"sale_id,product,Note,NOTE\n1,mug,x,y\n")
    assert optional.values == [(2, "1", "mug", None)]
    assert optional.report.new_columns == ("Note", "NOTE")
    wanted = Read(tmp_path / "3", b"SALE_ID,Sale-ID,product\n1,2,mug\n")
    assert "lacks the columns sale_id or Sale ID; its header has: SALE_ID, Sale-ID, product" in wanted.report.message
    alike = replace(FEED, columns={"a_b": ("a_b",), "a_b2": ("a-b",), "c": ("c",)}, optional=())
    assert "lacks the columns a_b, a-b;" in Read(tmp_path / "4", b"A B,a__b,c\n1,2,3\n", alike).report.message


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;\r", "\ufeffsep=;"])
def test_a_line_that_tells_the_delimiter_is_believed_and_counted(tmp_path: Path, first: str) -> None:
    read = Read(tmp_path, f"{first}\nsale_id;product;note\n1;mug, big;x\n\n2\n".encode(), block_bytes=30)
    assert read.values == [(3, "1", "mug, big", "x")]
    assert read.reasons == [(5, "2", "1 field, the header has 3")]
    assert read.accounts == (5, 2, 1, 0, 1, 1)
    assert read.report.message == "sales/sales_1.csv was read with ';' as delimiter, not ','"


def test_the_told_delimiter_may_be_the_declared_one_and_only_the_first_line_tells_it(tmp_path: Path) -> None:
    usual = Read(tmp_path / "1", b"sep=,\nsale_id,product,note\n1,mug,x\n")
    assert (usual.accounts, usual.report.message) == ((3, 2, 0, 0, 1, 0), "")
    twice = Read(tmp_path / "2", b"sep=;\nsep=,\nsale_id;product\n")
    assert "lacks the columns sale_id or Sale ID, product; its header has: sep=," in twice.report.message
    bare = replace(FEED, has_header=False, optional=())
    headless = Read(tmp_path / "3", b"sep=;\n1;mug;x\n", bare)
    assert (headless.values, headless.accounts) == ([(2, "1", "mug", "x")], (2, 1, 0, 0, 1, 0))
    assert headless.report.message == "sales/sales_1.csv was read with ';' as delimiter, not ','"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_header_of_one_column_is_read_with_the_delimiter_that_makes_sense_of_it(
    tmp_path: Path, delimiter: str
) -> None:
    rows = [["Sale ID", "product", "note"], ["1", "mug, big", '"x\n y"'], ["2", "cup", ""]]
    read = Read(tmp_path, "\n".join(delimiter.join(row) for row in rows).encode())
    assert read.values == [(2, "1", "mug, big", "x\n y"), (4, "2", "cup", "")]
    assert read.report.message == f"sales/sales_1.csv was read with {delimiter!r} as delimiter, not ','"
    declared = Read(tmp_path / "2", b"sale_id,product\n1,mug\n", replace(FEED, delimiter=";"))
    assert declared.values == [(2, "1", "mug", None)]
    assert declared.report.message.endswith("was read with ',' as delimiter, not ';'")


def test_an_empty_field_more_in_every_line_is_left_out(tmp_path: Path) -> None:
    lines = ["sale_id,product,note", "1,mug,x,", '2,"cup\nred",y,""', "", '3,"jug', "4", "5,can,,", "6,a,b,c,d"]
    for block_bytes in (20, 1000):
        read = Read(tmp_path / str(block_bytes), "\n".join(lines).encode(), block_bytes=block_bytes)
        assert read.values == [(2, "1", "mug", "x"), (3, "2", "cup\nred", "y"), (8, "5", "can", "")]
        assert [reason[0] for reason in read.reasons] == [6, 7, 9]
        assert read.reasons[1:] == [
            (7, "4", "1 field, the header has 3"),
            (9, "6,a,b,c,d", "5 fields, the header has 3"),
        ]
        assert read.accounts == (9, 1, 1, 1, 3, 3)
        assert read.report.message == (
            "sales/sales_1.csv every line ends with one delimiter more than its columns need; that empty field was left"
            " out"
        )
        assert read.report.new_columns == ()


@pytest.mark.parametrize("odd", ["7,mug,x", "7,mug,x,y"], ids=["a line without it", "a line in which it is not empty"])
@pytest.mark.parametrize("at", [0, 1, 4000])
def test_a_delimiter_more_on_some_lines_breaks_them(tmp_path: Path, odd: str, at: int) -> None:
    lines = ["1,mug,x,"] * 4000
    lines.insert(at, odd)
    read = Read(tmp_path, "\n".join(["sale_id,product,note", *lines]).encode(), block_bytes=9000)
    good = odd.count(",") == 2
    assert read.values == ([(at + 2, "7", "mug", "x")] if good else [])
    assert len(read.reasons) == 4000 + (not good)
    assert {reason[2] for reason in read.reasons} == {"4 fields, the header has 3"}
    assert read.report.message == ""


def test_a_large_file_with_a_delimiter_more_is_read_the_quick_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_CAREFUL_BYTES", 64)
    careful = records._CsvParser._carefully
    seen: list[int] = []

    def watched(self: Any, text: bytes, *rest: Any) -> Any:
        seen.append(len(text))
        return careful(self, text, *rest)

    monkeypatch.setattr(records._CsvParser, "_carefully", watched)
    read = Read(tmp_path, b"sale_id,product,note\n" + b"1,mug,x,\n" * 5000)
    assert (read.report.records, read.report.broken) == (5000, 0)
    assert sum(seen) < 200


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str, zipped: bool) -> None:
    content = "\ufeffsale_id,product,note\r\n1,Müslischale,à 5 €\r\n".encode(encoding)
    name = "sales_1.csv.gz" if zipped else "sales_1.csv"
    read = Read(tmp_path, gzip.compress(content) if zipped else content, name=name, block_bytes=11)
    assert read.values == [(2, "1", "Müslischale", "à 5 €")]
    assert read.accounts == (2, 1, 0, 0, 1, 0)
    said = f"sales/{name} was read as {encoding}, as its byte order mark says, and not as utf-8"
    assert read.report.message == said


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declared", ["utf-8", "cp1252"])
def test_utf16_without_a_byte_order_mark_is_read_with_a_note(tmp_path: Path, encoding: str, declared: str) -> None:
    content = ("sale_id,product,note\r\n" + "1,Müslischale,à 5 €\r\n" * 300).encode(encoding)
    read = Read(tmp_path, content, replace(FEED, encoding=declared))
    assert read.values == [(line, "1", "Müslischale", "à 5 €") for line in range(2, 302)]
    assert read.accounts == (301, 1, 0, 0, 300, 0)
    says = f"has no byte order mark and was read as {encoding}, since every other byte is 0, not as {declared}"
    assert read.report.message == f"sales/sales_1.csv {says}"


def test_a_few_zero_bytes_make_no_utf16(tmp_path: Path) -> None:
    read = Read(tmp_path, GOOD + b"2,m\0u\0g\0,x\n")
    assert (read.report.records, read.report.broken, read.report.message) == (500, 1, "")


def test_keys_of_another_spelling_are_taken_for_the_columns_with_a_note(tmp_path: Path) -> None:
    lines = [
        {"SALE_ID": "1", "Product": "mug", "note": "x"},
        {"sale-id": "2", "product": "cup"},
        {"Sale ID": "3", "product": "jug", "PRODUCT": "new"},  # what is exact stands for itself
        {"sale_id": "4", "Note": "a", "NOTE": "b"},  # none of them alone
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    read = Read(tmp_path, content, JSON, "sales_1.jsonl")
    assert read.values == [(1, "1", "mug", "x"), (2, "2", "cup", None), (3, "3", "jug", None), (4, "4", None, None)]
    rescued = [json.loads(row["_rescued_data"]) if row["_rescued_data"] else None for row in read.accepted]
    assert rescued == [None, None, {"PRODUCT": "new"}, {"Note": "a", "NOTE": "b"}]
    assert read.report.new_columns == ("NOTE", "Note", "PRODUCT")
    assert read.report.missing_columns == ()
    assert read.report.message == (
        "sales/sales_1.jsonl keys of its records were taken for others: "
        "Product for product, SALE_ID for sale_id, sale-id for sale_id"
    )


def test_a_byte_order_mark_goes_before_what_is_declared_and_is_removed(tmp_path: Path) -> None:
    content = "\ufeffsale_id,product\n1,Müslischale\n".encode()
    read = Read(tmp_path / "1", content, replace(FEED, encoding="cp1252"))
    assert read.values == [(2, "1", "Müslischale", None)]
    assert read.report.message.endswith("was read as utf-8, as its byte order mark says, and not as cp1252")
    for number, encoding in enumerate(("utf-8", "utf-8-sig"), 2):
        assert Read(tmp_path / str(number), content, replace(FEED, encoding=encoding)).report.message == ""
    utf16 = replace(FEED, encoding="utf-16")
    assert Read(tmp_path / "4", content.decode()[1:].encode("utf-16"), utf16).report.message == ""


@pytest.mark.parametrize("block_bytes", [40, 10_000])
@pytest.mark.parametrize(
    ("name", "encoding"), [("Müslischale für 5 €", "cp1252"), ("M\xfcsli\x81schale\x9d", "latin-1")]
)
def test_text_of_one_byte_per_character_is_read_with_a_note(
    tmp_path: Path, name: str, encoding: str, block_bytes: int
) -> None:
    content = GOOD + f"2,{name},é\n3,cup,CITÉ®\n".encode(encoding) + b"4,\xe9\xe9\xe9\xe9,\xe9\n" * 3
    zipped = Read(tmp_path / "1", gzip.compress(content), name="sales_1.csv.gz", block_bytes=block_bytes)
    read = Read(tmp_path / "2", content, block_bytes=block_bytes)
    assert read.values == zipped.values
    assert read.values[500:502] == [
        (502, "2", name, "é"),
        (503, "3", "cup", "CITÉ®"),
    ]
    assert read.accounts == (506, 1, 0, 0, 505, 0)
    said = f"sales/sales_1.csv is not utf-8 text (byte 4,024, in line 502) and was read as {encoding}"
    assert read.report.message == said
    assert len(list((read.staging / "accepted").iterdir())) == 1


def test_json_lines_too_are_read_in_the_encoding_that_they_have(tmp_path: Path) -> None:
    read = Read(tmp_path, b'{"sale_id": "1", "product": "m\xfcg"}\n', JSON, "sales_1.json")
    assert read.values == [(1, "1", "müg", None)]
    assert "(byte 30, in line 1) and was read as cp1252" in read.report.message


# NUL bytes


@pytest.mark.parametrize("block_bytes", [16, 10_000])
def test_a_value_with_a_nul_byte_breaks_its_record(tmp_path: Path, block_bytes: int) -> None:
    content = b'sale_id,product,note\n1,mug,x\n2\0,cup,y\n3,jug,"a\n\0b"\n4,"\0",z\n5,can,w\n'
    read = Read(tmp_path, content, block_bytes=block_bytes)
    assert [row[:2] for row in read.values] == [(2, "1"), (7, "5")]
    assert [(row["_source_row"], row["_errors"][0]["rule"]) for row in read.quarantined] == [
        (3, "line.nul"),
        (4, "line.nul"),
        (5, "line.nul"),
        (6, "line.nul"),
    ]
    assert read.quarantined[0]["_row"] == "2\0,cup,y"
    assert read.accounts == (7, 1, 0, 0, 2, 4)


def test_an_escaped_nul_in_json_breaks_its_record(tmp_path: Path) -> None:
    lines = [r'{"sale_id": "1\u0000"}', r'{"sale_id": "2\\u0000"}', r'{"note\u0000": "3"}']
    read = Read(tmp_path, "\n".join(lines).encode(), JSON, "sales_1.json")
    assert [row[:2] for row in read.values] == [(2, r"2\u0000")]
    assert [(row["_source_row"], row["_errors"][0]["rule"]) for row in read.quarantined] == [
        (1, "line.nul"),
        (3, "line.nul"),
    ]


# Quotes that are never closed, and values of several lines


def test_a_value_may_have_several_lines_by_default(tmp_path: Path) -> None:
    read = Read(tmp_path, b'sale_id,product,note\n1,mug,"a\n""b"",\n\nc"\n2,cup,y\n')
    assert read.values == [(2, "1", "mug", 'a\n"b",\n\nc'), (6, "2", "cup", "y")]
    assert read.accounts == (6, 1, 0, 3, 2, 0)


@pytest.mark.parametrize("many", [1, 3, 400])
def test_a_stray_quote_that_a_later_one_happens_to_close_swallows_no_record(tmp_path: Path, many: int) -> None:
    between = "".join(f"A{number},cup,y\n" for number in range(many))
    content = f'sale_id,product,note\nA1,"Best mug,x\n{between}A7,Monitor 19",z\nA8,jug,w\n'
    read = Read(tmp_path, content.encode())
    assert read.reasons == [
        (2, 'A1,"Best mug,x', "a quote is opened and not closed before the next records, which stand inside it")
    ]
    assert read.values[-2:] == [(many + 3, "A7", 'Monitor 19"', "z"), (many + 4, "A8", "jug", "w")]
    assert read.accounts == (many + 4, 1, 0, 0, many + 2, 1)


def test_lines_inside_a_value_may_look_like_records_of_another_kind(tmp_path: Path) -> None:
    rows = [("A1", "mug", "12 High St\nLondon, N1, UK"), ("A2", "cup", "sizes\n1, 2, 3\nas told"), ("", "x", "\n,,")]
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    read = Read(tmp_path, ("sale_id,product,note\n" + written.getvalue()).encode())
    assert [row[1:] for row in read.values] == rows
    assert read.report.broken == 0


def test_a_record_of_several_lines_has_the_headers_number_of_fields_and_strict_quotes(tmp_path: Path) -> None:
    content = b'sale_id,product,note\n1,"a\nb",c,d\n2,"a\nb",5" c\n3,"a\nb" c,d\n4,cup,y\n'
    read = Read(tmp_path, content)
    assert [(at, text) for at, text, _ in read.reasons] == [
        (2, '1,"a'),
        (4, '2,"a'),
        (5, 'b",5" c'),
        (6, '3,"a'),
        (7, 'b" c,d'),
    ]
    assert read.values[-1] == (8, "4", "cup", "y")
    assert read.report.is_balanced


# Files that cannot be read


def _unreadable(tmp_path: Path, content: bytes, feed: Feed = FEED, name: str = "sales_1.csv") -> str:
    read = Read(tmp_path, content, feed, name, block_bytes=64)
    assert read.report.status == "unreadable"
    assert (read.report.records, read.report.lines) == (0, 0)
    assert not [path for path in read.staging.rglob("*") if path.is_file()]
    assert f"sales/{name}" in read.report.message
    return read.report.message


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        pytest.param(b"", "sales_1.csv", "is empty", id="nothing"),
        pytest.param(b"\n \r\n\n", "sales_1.csv", "is empty", id="blank lines alone"),
        pytest.param(gzip.compress(b""), "sales_1.csv.gz", "is empty", id="an empty gzip"),
        pytest.param(
            b"sale_id,note\n1,x\n",
            "sales_1.csv",
            "lacks the columns product; its header has: sale_id, note",
            id="column",
        ),
        pytest.param(b"sale_id:product\n1:x\n", "sales_1.csv", "is ',' the delimiter?", id="delimiter"),
        pytest.param(b"1,mug,x\n", "sales_1.csv", "lacks the columns sale_id or Sale ID, product", id="no header"),
        pytest.param(b"sale_id,product,Sale ID\n", "sales_1.csv", "two columns for sale_id", id="two aliases"),
        pytest.param(b"sale_id,product,x,x\n", "sales_1.csv", "two columns for x", id="a name twice"),
        pytest.param(
            b'sale_id,"product\n1,mug\n', "sales_1.csv", "in the header, line 1, a quote is opened", id="header"
        ),
        pytest.param(
            b"sale_id,product\r1,mug\r", "sales_1.csv", "a carriage return stands between", id="carriage returns"
        ),
        pytest.param(gzip.compress(GOOD)[:-20], "sales_1.csv.gz", "was cut off", id="a gzip cut off"),
        pytest.param(gzip.compress(GOOD)[:-8] + b"12345678", "sales_1.csv.gz", "is damaged", id="a gzip damaged"),
        pytest.param(GOOD, "sales_1.csv.gz", "is not gzip data", id="not gzip"),
        pytest.param(b"PK\x03\x04zzz", "sales_1.csv", "a zip archive", id="zip"),
        pytest.param(
            GOOD + "2,Müslischale für,x\n".encode().replace(b"le", b"\xc3"),
            "sales_1.csv",
            "in line 502, cannot be read; deliver it in this encoding, or change the feed's; nor is it cp1252: beside 1"
            " such bytes it has 2 characters that are utf-8",
            id="damaged utf-8",
        ),
        pytest.param(
            GOOD + bytes(range(1, 256)) * 9,
            "sales_1.csv",
            "no text: 225 of its 6,316 bytes are control bytes",
            id="no text",
        ),
        pytest.param(
            b"sale_id,pro\0duct\n",
            "sales_1.csv",
            "in the header, line 1, a NUL byte stands in a value; correct it",
            id="a NUL byte in the header",
        ),
        pytest.param(
            b"sale_id,product\n" + b"x" * 400, "sales_1.csv", "line 2 is longer than 256 bytes", id="a long line"
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_leaves_nothing(
    tmp_path: Path, content: bytes, name: str, says: str
) -> None:
    assert says in _unreadable(tmp_path, content, FEED, name)


def test_a_wrong_encoding_other_than_utf8_is_found_too(tmp_path: Path) -> None:
    says = _unreadable(tmp_path, GOOD + b"2,m\x81g,x\n", replace(FEED, encoding="cp1252"))
    assert "is not cp1252 text: byte 4,024 of the text, in line 502," in says


def test_a_file_that_vanished_or_changed_or_is_forbidden_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sales_1.csv"
    path.write_bytes(GOOD)

    def message(size: int) -> str:
        delivered = DeliveredFile(str(path), "sales_1.csv", "0" * 64, size)
        return read_file(delivered, FEED, COLUMNS, str(tmp_path / "staging"), "b1", AT).message

    assert "changed while it was read" in message(1)
    path.unlink()
    assert message(1) == "sales_1.csv is no longer there; deliver it again"

    def forbid(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbid)
    assert message(1) == "sales_1.csv may not be read by this user; allow it to be read"


# JSON lines


def test_json_values_become_text_as_they_were_written(tmp_path: Path) -> None:
    lines = [
        '{"sale_id": 12345678901234567890, "product": "m\\u00fcg", "note": null}',
        '{"product": 12.50, "sale_id": true}',
        "",
        '{"sale_id": "3", "note": {"a": [1.0, "x"], "b": false}, "extra": 5.10, "more": {"c": [7]}}',
        '{"sale_id": "\\ud83d\\ude00", "product": ""}  ',
    ]
    read = Read(tmp_path, "\r\n".join(lines).encode(), JSON, "sales_1.json")
    assert read.values == [
        (1, "12345678901234567890", "müg", None),
        (2, "true", "12.50", None),
        (4, "3", None, '{"a": [1.0, "x"], "b": false}'),
        (5, "😀", "", None),
    ]
    assert [row["_rescued_data"] for row in read.accepted] == [None, None, '{"extra": 5.10, "more": {"c": [7]}}', None]
    assert read.accounts == (5, 0, 1, 0, 4, 0)
    assert read.report.new_columns == ("extra", "more")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"sale_id": 1', "not valid JSON: Expecting ',' delimiter, at character 14"),
        ("plain words", "not valid JSON: Expecting value, at character 1"),
        ("7", "the line is not a JSON object"),
        ('["sale_id"]', "the line is not a JSON object"),
        ('{"sale_id": 1} {"sale_id": 2}', "other text follows the JSON value, from character 15 on"),
        ('{"sale_id": 1, "sale_id": 2}', "the key 'sale_id' stands twice in an object"),
        ('{"sale_id": 1, "Sale ID": 2}', "two keys stand for the same column"),
        ('{"sale_id": "\\ud83d"}', "a \\u escape stands for half a character"),
        ('{"sale_id": ' + "[" * 99999, "JSON values are nested too deeply"),
    ],
)
def test_json_dirt_is_quarantined_with_its_reason(tmp_path: Path, line: str, says: str) -> None:
    read = Read(tmp_path, ('{"sale_id": "a"}\n' + line + '\n{"Sale ID": "b"}').encode(), JSON, "sales_1.jsonl")
    assert read.reasons == [(2, line, says)]
    assert read.quarantined[0]["_errors"][0]["rule"] == "line.json"
    assert [row[:2] for row in read.values] == [(1, "a"), (3, "b")]
    assert read.accounts == (3, 0, 0, 0, 2, 1)
    assert read.report.missing_columns == ("product", "note")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\n\n", "is empty"),
        (b'\n[{"sale_id": 1}]', "is one JSON list"),
        (b'{"id": 1}\n{"other": 1}\n', "none of its 2 records has a column of the feed; they have: id, other"),
        (b'{"sale_id": "\xfc\xc3\xbc"}\n', "is not utf-8 text"),
    ],
)
def test_json_files_that_cannot_be_read(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in _unreadable(tmp_path, content, JSON, "sales_1.json")


# What was delivered


def _deliver(folder: Path, **contents: bytes) -> Path:
    for name, content in contents.items():
        path = folder / "sales" / f"sales_{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_files_are_known_by_their_content(tmp_path: Path) -> None:
    folder = _deliver(tmp_path, c=b"x", a=b"x", b=b"y", d=b"")
    (folder / "sales" / "sales_e.csv.tmp").write_bytes(b"under way")
    (folder / "sales" / "sales_f.csv").symlink_to(folder / "gone")
    first = discover(FEED, folder, ())
    assert [each.file for each in first.new] == ["sales/sales_a.csv", "sales/sales_b.csv"]
    assert [each.file for each in first.known] == ["sales/sales_c.csv"]
    assert [each.file for each in first.unreadable] == ["sales/sales_d.csv", "sales/sales_f.csv"]
    assert first.new[0].file_id == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert first.new[0].size_bytes == 1
    again = discover(FEED, folder, {each.file_id for each in first.new})
    assert (len(again.new), len(again.known)) == (0, 3)


def test_a_missing_input_folder_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert discover(FEED, tmp_path, ()).new == []
    with pytest.raises(UsageError, match="does not exist"):
        discover(FEED, tmp_path / "nowhere", ())


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": {"a": ("x",), "b": ("x",)}, "optional": ()},
        {"optional": ("z",)},
        {"delimiter": "||"},
        {"encoding": "utf-99"},
    ],
)
def test_a_feed_that_cannot_be_read_is_refused_when_declared(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"feed shop\.sales"):
        replace(FEED, **wrong)


# In Spark

TABLE = feed_table(
    "bronze.sales", "Sales as delivered.", FEED, {"sale_id": "sale", "product": "what", "note": "remark"}
)


def test_spark_reads_what_its_workers_wrote(spark: SparkSession, tmp_path: Path) -> None:
    folder = _deliver(
        tmp_path / "in",
        a=b"sale_id,product,note\n1,mug,x\n2\n",
        b=b"product,sale_id,colour\ncup,3,red\n",
        c=b"nonsense\n",
        d=b"sale_id,product\n4,jug\n",
    )
    delivered = discover(FEED, folder, ()).new
    staging = str(tmp_path / "staging")
    reports = read_files(spark, delivered, FEED, TABLE, staging, "b7", AT, tasks=2)
    assert [report.file for report in reports] == [each.file for each in delivered]
    assert [report.status for report in reports] == ["loaded", "loaded", "unreadable", "loaded"]
    assert reports[1].new_columns == ("colour",)
    accepted = spark.read.parquet(f"{staging}/accepted")
    assert [(field.name, field.dataType) for field in accepted.schema] == [
        (field.name, field.dataType) for field in TABLE.schema
    ]
    rows = accepted.selectExpr("*", "unix_micros(_ingested_at) AS micros").orderBy("sale_id").collect()
    assert [(row.sale_id, row.product, row.note, row._rescued_data, row._source_row) for row in rows] == [
        ("1", "mug", "x", None, 2),
        ("3", "cup", None, '{"colour": "red"}', 2),
        ("4", "jug", None, None, 2),
    ]
    assert {row.micros for row in rows} == {int(AT.timestamp() * 1_000_000)}
    broken = spark.read.parquet(f"{staging}/quarantined")
    assert broken.schema["_errors"].dataType.simpleString() == (
        "array<struct<rule:string,message:string,columns:array<string>>>"
    )
    assert [(row._row, row._source_file, row._batch_id) for row in broken.collect()] == [
        ("2", "sales/sales_a.csv", "b7")
    ]


def test_without_files_there_is_nothing_to_do(spark: SparkSession, tmp_path: Path) -> None:
    assert read_files(spark, [], FEED, TABLE, str(tmp_path), "b1", AT, tasks=2) == []
    assert (tmp_path / "accepted").is_dir()
    with pytest.raises(UsageError, match="time zone"):
        read_files(spark, [], FEED, TABLE, str(tmp_path), "b1", AT.replace(tzinfo=None), tasks=2)


def test_large_files_are_spread_over_the_tasks() -> None:
    sizes = [100, 1, 1, 98, 2]
    delivered = [DeliveredFile(f"/{size}", f"{index}", "", size) for index, size in enumerate(sizes)]
    buckets = files._buckets(delivered, 2)
    assert sorted(sum(each.size_bytes for each in bucket) for bucket in buckets) == [101, 101]
    assert len(files._buckets(delivered, 99)) == 5


def test_accounts_that_do_not_balance_fail(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = FileReport("x.csv", "0", 1, "loaded", lines=3, records=1)
    assert not report.is_balanced
    monkeypatch.setattr(files, "_report", lambda _: report)
    folder = _deliver(tmp_path, a=GOOD)
    with pytest.raises(AccountsImbalance, match="its 3 lines do not add up"):
        read_files(spark, discover(FEED, folder, ()).new, FEED, TABLE, str(tmp_path / "staging"), "b1", AT, tasks=1)


def test_a_failing_disk_is_no_fault_of_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    publish: Callable[..., None] = full
    monkeypatch.setattr(files._Staged, "publish", publish)
    with pytest.raises(OSError, match="No space left"):
        Read(tmp_path, GOOD)
    assert not [path for path in (tmp_path / "staging").rglob("*") if path.is_file()]
