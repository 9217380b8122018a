"""From the text of a delivered file to its records, line by line accounted for.

pyarrow parses CSV, and nothing that it says is believed before it was checked against the bytes: their line breaks are
counted here, and where a line was swallowed or split, the lines around it are read again with care. Files are read in
blocks, so memory does not grow with their size.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lakehouse.errors import FileUnreadable
from lakehouse.intake.text import check_utf8, empty

if TYPE_CHECKING:
    from lakehouse.intake.feeds import Feed

RESCUED = "_rescued_data"
MAX_RECORD_LINES = 500
"""A quoted value that has not ended after so many lines is taken for a quote that was never closed."""
_CAREFUL_BYTES = 256 * 1024
_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR = re.compile(rb'"?sep=([,;\t|:^~ ])"?', re.IGNORECASE)
_JSON_BYTES = 512 * 1024  # Python's objects are ten times as large as their text; so many stay near the processor

Rows = npt.NDArray[np.int64]


class Broken(NamedTuple):
    """A line that is no record: its number, its text as it came, the rule that it breaks, and why in words."""

    line: int
    text: str
    rule: str
    message: str


@dataclass(frozen=True)
class Piece:
    """What some whole lines hold: `size` bytes of text, `values` (text arrays) by column, `rows` their first lines."""

    size: int
    lines: int
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    broken: Sequence[Broken] = ()
    blank: int = 0
    continuation: int = 0


class OtherDialect(Exception):
    """What was taken for granted of a file is not so; it is read again with `trailing` as the parser's answer."""

    def __init__(self, trailing: bool) -> None:
        super().__init__(trailing)
        self.trailing = trailing


class Parser:
    """Cuts blocks of whole lines into pieces, and knows which of the feed's columns it met.

    `notes` say in words where the file is not as its feed declares it and was read all the same.
    """

    def __init__(self, feed: Feed, file: str) -> None:
        self.feed = feed
        self.file = file
        self.header_lines = 0
        self.new_columns: tuple[str, ...] = ()
        self.missing_columns: tuple[str, ...] = ()
        self.notes: list[str] = []
        self._column_of = {alias: column for column, names in feed.columns.items() for alias in names}
        alike: dict[str, set[str]] = {}
        for alias, column in self._column_of.items():
            alike.setdefault(_plain(alias), set()).add(column)
        self._alike = {name: columns.pop() for name, columns in alike.items() if len(columns) == 1}
        self._at = 0

    def pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        """The pieces of a block that begins at line `line`; what they leave of it belongs to the next block.

        Raises FileUnreadable, or OtherDialect where the file must be read again from its beginning.
        """
        check_utf8(self.file, self.feed.encoding, block, self._at, line)
        for piece in self._pieces(block, line, is_last):
            self._at += piece.size
            yield piece

    def finish(self) -> None:
        """Say what can only be said of the whole file. Raises FileUnreadable."""
        raise NotImplementedError

    def _pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        raise NotImplementedError


def parser_of(feed: Feed, file: str, trailing: bool | None = None) -> Parser:
    """The parser of a feed's format for one file.

    `trailing` says of a csv file whether every line but the header ends with one delimiter more; None where that is
    still to be seen.
    """
    return _JsonParser(feed, file) if feed.format == "jsonl" else _CsvParser(feed, file, trailing)


class _Fault(NamedTuple):
    rule: str
    message: str


_OPEN_QUOTE = _Fault("line.quote", "a quote is opened and not closed")
_STRAY_QUOTE = _Fault("line.quote", "a quote is opened and not closed before other text follows")
_STRAY_RETURN = _Fault("line.break", "a carriage return stands between values")
_SWALLOWED = _Fault("line.quote", "a quote is opened and not closed before the next records, which stand inside it")
_NUL = _Fault("line.nul", "a NUL byte stands in a value")


def _wrong_width(fields: int, width: int) -> _Fault:
    return _Fault("line.fields", f"{fields} field{'' if fields == 1 else 's'}, the header has {width}")


class _CsvParser(Parser):
    """CSV: by pyarrow where its answer agrees with the bytes, with care elsewhere.

    In both ways a record is one line, or, in a feed that allows it, several lines whose quotes are set strictly. A
    record that does not end, or has another number of fields than the header, makes its first line broken.

    Where every record has an empty field more than the header, that field is part of the file's dialect, and left out.
    Whether it is so shows at the first record, and must hold until the last.
    """

    def __init__(self, feed: Feed, file: str, trailing: bool | None) -> None:
        super().__init__(feed, file)
        self._delimiter = feed.delimiter
        self._trailing = trailing
        self._names = 0
        self._width = 0
        self._place: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._limit = MAX_RECORD_LINES if feed.multiline else 1
        csv.field_size_limit(2**31 - 1)  # the module's own limit, 128 KiB, would break good records

    def finish(self) -> None:
        if not self._width:
            raise FileUnreadable(empty(self.file))
        if self._trailing:
            self.notes.append(
                "every line ends with one delimiter more than its columns need; that empty field was left out"
            )

    def _pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        start = 0
        if not self._width:
            piece = self._header(block, line)
            yield piece
            start, line = piece.size, line + piece.lines
        window, small = len(block) if self._trailing is not None else _CAREFUL_BYTES, _CAREFUL_BYTES
        while start < len(block):
            end = block.rfind(b"\n", start, start + window) + 1 or block.index(b"\n", start) + 1
            found = self._quickly(block[start : self._record_end(block, start, end)], line)
            if found:
                window *= 2
            elif end - start > small:  # find the lines that need care: look at a quarter
                window = (end - start) // 4
                continue
            else:
                found = self._carefully(block[start:end], line, is_last and end == len(block))
                if not found.size and end == len(block):
                    return
                if not found.size:  # one record is longer than the window
                    window = small = 2 * (end - start)
                    continue
            yield found
            if self._trailing is None and len(found.rows):
                self._trailing = False
            small = _CAREFUL_BYTES
            start, line = start + found.size, line + found.lines

    def _record_end(self, block: bytes, start: int, end: int) -> int:
        """The last line end up to `end` at which no quote is open, if quotes do nothing but quote; else `end`."""
        if not self.feed.multiline:
            return end
        is_open, cut = block.count(b'"', start, end) % 2, end
        for _ in range(MAX_RECORD_LINES):
            if not is_open or cut <= start:
                break
            before = max(block.rfind(b"\n", start, cut - 1) + 1, start)
            is_open ^= block.count(b'"', before, cut) % 2
            cut = before
        return end if is_open or cut <= start else cut

    # The header

    def _header(self, block: bytes, line: int) -> Piece:
        """The lines up to the header, and the header. A first line `sep=;` tells the delimiter."""
        start = blank = told = 0
        while start < len(block):
            end = block.index(b"\n", start) + 1
            if not self.header_lines and (found := _SEPARATOR.fullmatch(block[start:end].rstrip(b"\r\n"))):
                self._delimiter = found[1].decode()
                self.header_lines = told = 1
            elif block[start:end].strip():
                break
            else:
                blank += 1
            start = end
        else:
            return Piece(start, blank + told, blank=blank)
        if not self.feed.has_header:
            self._know([names[0] for names in self.feed.columns.values()])
            return Piece(start, blank + told, blank=blank)
        end = block.rfind(b"\n", start, start + _CAREFUL_BYTES) + 1 or end
        lines = _lines(block[start:end])
        fields, used = self._fields_of_header(lines)
        if isinstance(fields, _Fault):
            at = line + blank + told
            raise FileUnreadable(f"{self.file}: in the header, line {at:,}, {fields.message}; correct it")
        self._know(fields)
        self.header_lines += used
        return Piece(start + _size(lines[:used]), blank + told + used, blank=blank)

    def _fields_of_header(self, lines: list[str]) -> tuple[list[str] | _Fault, int]:
        """The header's names, and how many lines it takes; a header of one name may be meant for another delimiter."""
        usual = self._delimiter
        fields, used = self._record(lines, 0)
        if isinstance(fields, list) and len(fields) == 1 and not self._fits(fields):
            for self._delimiter in _DELIMITERS:
                others, lines_used = self._record(lines, 0)
                if isinstance(others, list) and self._fits(others):
                    return others, lines_used
            self._delimiter = usual
        return fields, used

    def _fits(self, header: list[str]) -> bool:
        """Whether a header names every column that a file must have; another of its names may be new."""
        columns = self._columns_of([name.strip() for name in header])
        return set(self.feed.columns) - set(self.feed.optional) <= set(columns)

    def _columns_of(self, names: list[str]) -> list[str | None]:
        """The feed's column that each name stands for.

        A name that differs in case, spaces, hyphens or underscores alone stands for a column that no name is exact for,
        if it is the only one.
        """
        columns = [self._column_of.get(name) for name in names]
        left = set(self.feed.columns) - set(columns)
        alike = [None if column else self._alike.get(_plain(name)) for name, column in zip(names, columns, strict=True)]
        return [
            near if near in left and alike.count(near) == 1 else exact
            for exact, near in zip(columns, alike, strict=True)
        ]

    def _know(self, header: list[str]) -> None:
        """Name the header's columns as the feed does, or say what is wrong with them."""
        given = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
        found = f"its header has: {', '.join(given)[:1000]}"
        columns = self._columns_of(given)
        meant = [column or f"{name} (new)" for name, column in zip(given, columns, strict=True)]
        if twice := sorted({column for column in meant if meant.count(column) > 1}):
            raise FileUnreadable(f"{self.file} has two columns for {', '.join(twice)}; leave one of them; {found}")
        missing = [column for column in self.feed.columns if column not in columns]
        if required := [column for column in missing if column not in self.feed.optional]:
            wanted = ", ".join(" or ".join(self.feed.columns[column]) for column in required)
            hint = f"; is {self._delimiter!r} the delimiter?" if len(given) == 1 < len(self.feed.columns) else ""
            raise FileUnreadable(
                f"{self.file} lacks the columns {wanted}; {found}{hint}; correct the header,"
                " or add the new name to the feed's columns"
            )
        near = [
            f"{name} for {column}"
            for name, column in zip(given, columns, strict=True)
            if column and name not in self._column_of
        ]
        if self._delimiter != self.feed.delimiter:
            self.notes.append(f"was read with {self._delimiter!r} as delimiter, not {self.feed.delimiter!r}")
        if near:
            self.notes.append(f"names in its header were taken for others: {', '.join(near)[:1000]}")
        self._names = len(given)
        self._width = self._names + bool(self._trailing)
        self._place = {column: index for index, column in enumerate(columns) if column}
        self._new = {name: index for index, name in enumerate(given) if not columns[index]}
        self.missing_columns, self.new_columns = tuple(missing), tuple(self._new)

    def _values(self, columns: Sequence[Any]) -> dict[str, Any]:
        values = {name: columns[index] for name, index in self._place.items()}
        if self._new:
            values[RESCUED] = _as_objects({name: columns[index] for name, index in self._new.items()})
        return values

    # The quick way

    def _quickly(self, text: bytes, line: int) -> Piece | None:
        """The piece as pyarrow reads it; None where that does not agree with the bytes."""
        lines = text.count(b"\n")
        if (b"\r" in text and text.count(b"\r") != text.count(b"\r\n")) or text.startswith(codecs.BOM_UTF8):
            return None  # pyarrow ends a line at a lone carriage return, and drops the mark
        if b"\0" in text:
            return None
        names = [str(index) for index in range(self._width)]
        refused: list[Any] = []

        def refuse(row: Any) -> str:
            refused.append(row)
            return "skip"

        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(text),
                arrow_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=names),
                arrow_csv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=refuse),
                arrow_csv.ConvertOptions(
                    check_utf8=False, column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            return None
        columns = [column.chunk(0) if column.num_chunks == 1 else column.combine_chunks() for column in table.columns]
        # Whether an empty field more belongs to the file's dialect is told with care.
        if refused and self._trailing is None:
            return None
        if self._trailing and (
            any(row.actual_columns == self._names for row in refused) or pc.any(pc.not_equal(columns[-1], "")).as_py()
        ):
            return None
        long = [column for column in columns if _has_break(column)] if b'"' in text else []
        if long:
            return self._with_continuations(text, line, columns, long) if not refused else None
        # Each line is now one row, one refused row, or blank.
        blank = lines - table.num_rows - len(refused)
        if not blank and not refused:
            return Piece(len(text), lines, self._values(columns), np.arange(line, line + lines, dtype=np.int64))
        starts, ends = _bounds(text)
        filled = np.flatnonzero(ends > starts)
        if len(filled) != lines - blank:
            return None
        broken = []
        at = np.array([row.number - 1 for row in refused], np.int64)
        for row, index in zip(refused, filled[at], strict=True):
            raw = text[starts[index] : ends[index]].decode("utf-8")
            if raw != row.text or ('"' in raw and self._width_of(raw) != row.actual_columns):
                return None  # a quote is open at its end, and pyarrow took the end of the text for its end
            if self._is_blank(raw):
                blank += 1
            else:
                broken.append(Broken(line + int(index), raw, *_wrong_width(row.actual_columns, self._names)))
        rows = np.delete(filled, at).astype(np.int64) + line
        return Piece(len(text), lines, self._values(columns), rows, broken, blank)

    def _width_of(self, line: str) -> int:
        """How many fields a record on this line alone has; 0 where there is none."""
        fields, used = self._record([line], 0)
        return len(fields) if isinstance(fields, list) and used else 0

    def _with_continuations(self, text: bytes, line: int, columns: list[Any], long: list[Any]) -> Piece | None:
        """The piece of a text in which values contain line breaks and every line belongs to a record."""
        if not self.feed.multiline:
            return None
        extra = sum(pc.count_substring(column, "\n").to_numpy().astype(np.int64) for column in long)
        used = extra + 1
        if used.sum() != text.count(b"\n") or used.max() > self._limit:
            return None
        firsts = np.cumsum(used) - used
        starts, _ = _bounds(text)
        starts = np.append(starts, len(text))
        for row in np.flatnonzero(extra):
            first, count = int(firsts[row]), int(used[row])
            lines = _lines(text[starts[first] : starts[first + count]])
            fields, found = self._record(lines, 0)
            if isinstance(fields, _Fault) or found != count:
                return None
        rows = firsts.astype(np.int64) + line
        return Piece(len(text), int(used.sum()), self._values(columns), rows, continuation=int(extra.sum()))

    # The careful way

    def _carefully(self, text: bytes, line: int, is_last: bool) -> Piece:
        """The piece read line by line; a record that is not over at its end is left, unless `is_last`."""
        lines = _lines(text)
        records: list[list[str]] = []
        rows: list[int] = []
        broken: list[Broken] = []
        index = blank = continuation = 0
        while index < len(lines):
            if self._is_blank(lines[index].rstrip("\r")):
                blank, index = blank + 1, index + 1
                continue
            fields, used = self._record(lines, index)
            if not used and not is_last:
                break
            if isinstance(fields, list):
                fields = self._of_width(fields)
            if isinstance(fields, _Fault):
                broken.append(Broken(line + index, lines[index].removesuffix("\r"), *fields))
                index += 1
            else:
                records.append(fields)
                rows.append(line + index)
                continuation, index = continuation + used - 1, index + used
        columns = [pa.array(column, pa.string()) for column in zip(*records, strict=True)]
        values = self._values(columns) if records else {}
        size = len(text) if index == len(lines) else _size(lines[:index])
        return Piece(size, index, values, np.array(rows, np.int64), broken, blank, continuation)

    def _of_width(self, fields: list[str]) -> list[str] | _Fault:
        """The fields, if they are as many as the file's records have. Raises OtherDialect."""
        count = len(fields)
        has_trailing = count == self._names + 1 and not fields[-1]
        if self._trailing is None and has_trailing:
            raise OtherDialect(trailing=True)
        if self._trailing and not has_trailing and count in (self._names, self._width):
            raise OtherDialect(trailing=False)
        if count != self._width:
            return _wrong_width(count, self._names)
        self._trailing = bool(self._trailing)
        return fields

    def _is_blank(self, line: str) -> bool:
        """Whether nothing stands in a line; the one value of a narrow file may be spaces."""
        return not line if self._width == 1 else not line.strip() and self._delimiter not in line

    def _record(self, lines: list[str], index: int) -> tuple[list[str] | _Fault, int]:
        """The fields of the record that begins at a line, or why it has none, and how many lines it takes.

        It takes 0 lines where a quote was still open after the last of them and more lines could close it.
        """
        line, delimiter = lines[index], self._delimiter
        if "\0" in line:
            return _NUL, 1
        if '"' not in line:
            bare = line.rstrip("\r")
            return (_STRAY_RETURN, 1) if "\r" in bare else (bare.split(delimiter), 1)
        fields, used = _quoted(lines, index, 1, delimiter, strict=False)
        if used or self._limit == 1:
            return fields, 1
        fields, used = _quoted(lines, index, self._limit, delimiter, strict=True)
        if isinstance(fields, list) and (fault := self._doubt(lines[index : index + used])):
            return fault, 1
        return fields, used if used or len(lines) - index < self._limit else 1

    def _doubt(self, lines: list[str]) -> _Fault | None:
        """Why lines that read as one record are not taken for one.

        A quote that was never closed ends at the next one that happens to stand at the end of a value, and the records
        between would become a part of the value. They are told by what they are: whole records, each with a first value
        that looks like the first value of the line with the quote.
        """
        delimiter = self._delimiter
        if any("\0" in line for line in lines):
            return _NUL
        if not _strict(delimiter).fullmatch("\n".join(lines)):
            return _STRAY_QUOTE
        closed = next(csv.reader([lines[0].rstrip("\r") + '"'], delimiter=delimiter))
        shape = _shape(lines[0], delimiter)
        if len(closed) + closed[-1].count(delimiter) != self._width or not {"9", "a"} & set(shape):
            return None
        alike = sum(_shape(line, delimiter) == shape and self._width_of(line) == self._width for line in lines[1:])
        return _SWALLOWED if 2 * alike > len(lines) - 1 else None


def _quoted(lines: list[str], index: int, limit: int, delimiter: str, strict: bool) -> tuple[list[str] | _Fault, int]:
    """A record with quotes, from at most `limit` lines; 0 lines where a quote is open after the last of them."""
    is_over: list[bool] = []

    def over() -> Iterator[str]:
        is_over.append(True)
        yield from ()

    reader = csv.reader(
        chain((f"{line}\n" for line in islice(lines, index, index + limit)), over()), delimiter=delimiter, strict=strict
    )
    try:
        fields = next(reader)
    except csv.Error:
        return (_OPEN_QUOTE, 0) if is_over else (_STRAY_QUOTE if strict else _STRAY_RETURN, 1)
    return (_OPEN_QUOTE, 0) if is_over else (fields, reader.line_num)


@cache
def _strict(delimiter: str) -> re.Pattern[str]:
    """A record in which a quote opens a value, closes it, or is doubled inside it, and stands nowhere else."""
    value = rf'(?:"(?:[^"]++|"")*+"|[^"{re.escape(delimiter)}\r\n]*+)'
    return re.compile(rf"{value}(?:{re.escape(delimiter)}{value})*+\r?")


def _shape(line: str, delimiter: str) -> str:
    """What the first value of a line looks like: its letters and digits told from each other only by kind."""
    first = line.split(delimiter, 1)[0]
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", first))


def _plain(name: str) -> str:
    """A column's name without what people vary: case, and how its words are set apart."""
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def _lines(text: bytes) -> list[str]:
    """The lines of a text that ends with a line break, without it. (`splitlines` would split at more than that.)"""
    return text.decode("utf-8").split("\n")[:-1]


def _size(lines: list[str]) -> int:
    return sum(len(line.encode("utf-8")) + 1 for line in lines)


def _bounds(text: bytes) -> tuple[Rows, Rows]:
    """Where each line begins and ends, its line break (LF or CRLF) left out."""
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    return starts, ends - ((ends > starts) & (data[ends - 1] == 13))


def _has_break(column: Any) -> bool:
    data = column.buffers()[2]
    return data is not None and bool((np.frombuffer(data, np.uint8) == 10).any())


def _as_objects(columns: Mapping[str, Any]) -> Any:
    """One JSON object per row, as text; each distinct value is written once."""
    parts: list[Any] = []
    for name, column in columns.items():
        distinct = column.dictionary_encode()
        texts = pa.array([_quote(value) for value in distinct.dictionary.to_pylist()], pa.string())
        parts += [f"{', ' if parts else '{'}{_quote(name)}: ", texts.take(distinct.indices)]
    return pc.binary_join_element_wise(*parts, "}", "")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class _Json(str):
    """JSON as text: a number as it was written, or a list or an object; a plain `str` is a JSON text's content."""

    __slots__ = ()


class _TwiceError(ValueError):
    """A key stands twice in one object."""


class _JsonParser(Parser):
    """JSON lines: one object per line. Values become text: texts as they are, the others as JSON; null is null."""

    def __init__(self, feed: Feed, file: str) -> None:
        super().__init__(feed, file)
        self._is_begun = False
        self._seen: set[str] = set()
        self._taken: dict[str, str] = {}
        self._records = 0
        self._has_aliases = len(self._column_of) > len(feed.columns)
        # Numbers stay as they were written: 12.50 is not 12.5.
        self._decode = json.JSONDecoder(
            object_pairs_hook=_unique, parse_float=_Json, parse_int=_Json, parse_constant=_Json
        ).raw_decode

    def finish(self) -> None:
        if not self._is_begun:
            raise FileUnreadable(empty(self.file))
        known = {self._column_of[key] for key in self._seen & self._column_of.keys()}
        if self._records and not known:
            raise FileUnreadable(
                f"{self.file}: none of its {self._records:,} records has a column of the feed; they have:"
                f" {', '.join(sorted(self._seen))[:1000]}; deliver the right file, or correct the feed's columns"
            )
        self.new_columns = tuple(sorted(self._seen - self._column_of.keys()))
        self.missing_columns = tuple(column for column in self.feed.columns if known and column not in known)
        if self._taken:
            told = ", ".join(f"{key} for {column}" for key, column in sorted(self._taken.items()))
            self.notes.append(f"keys of its records were taken for others: {told[:1000]}")

    def _pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:  # noqa: ARG002  a line is enough
        if not self._is_begun and (text := block.lstrip()):
            self._is_begun = True
            if text.startswith(b"["):
                raise FileUnreadable(f"{self.file} is one JSON list; deliver JSON lines, one object per line")
        start = 0
        while start < len(block):
            end = block.rfind(b"\n", start, start + _JSON_BYTES) + 1 or block.index(b"\n", start) + 1
            piece = self._objects(block[start:end], line)
            yield piece
            start, line = end, line + piece.lines

    def _objects(self, text: bytes, line: int) -> Piece:
        lines = _lines(text)
        objects: list[dict[str, str | bool | None]] = []
        rows: list[int] = []
        broken: list[Broken] = []
        blank = 0
        for number, whole in enumerate(lines, line):
            bare = whole.strip(" \t\r")
            if not bare:
                blank += 1
                continue
            found = self._object(bare)
            if isinstance(found, str):
                broken.append(Broken(number, whole.removesuffix("\r"), "line.json", found))
            elif "\\u0000" in bare and any("\0" in text for text in _strings(found)):
                broken.append(Broken(number, whole.removesuffix("\r"), *_NUL))
            else:
                objects.append(found)
                rows.append(number)
        keys: set[str] = set().union(*objects)
        near = {key: self._alike[_plain(key)] for key in keys - self._column_of.keys() if _plain(key) in self._alike}
        if near:
            objects = [self._as_declared(record, near) for record in objects]
            keys = set().union(*objects)
        self._seen |= keys
        self._records += len(rows)
        values = {column: _texts(objects, names) for column, names in self.feed.columns.items()}
        if new := keys - self._column_of.keys():
            values[RESCUED] = pa.array([_rescued(record, new) for record in objects], pa.string())
        return Piece(len(text), len(lines), values, np.array(rows, np.int64), broken, blank)

    def _as_declared(self, record: dict[str, Any], near: Mapping[str, str]) -> dict[str, Any]:
        """A record with its keys as the feed names them, as far as no other of its keys stands for the column."""
        columns = [self._column_of.get(key) or near.get(key) for key in record]
        meant = {key: near[key] for key in record if key in near and columns.count(near[key]) == 1}
        self._taken |= meant
        return {self.feed.columns[meant[key]][0] if key in meant else key: value for key, value in record.items()}

    def _object(self, text: str) -> dict[str, str | bool | None] | str:
        """The object in a line, lists and objects in it as JSON text; or why there is none."""
        try:
            found, end = self._decode(text)
            if end < len(text):
                return f"other text follows the JSON value, from character {end + 1} on"
            if not isinstance(found, dict):
                return "the line is not a JSON object"
            if "[" in text or text.find("{", 1) > 0:
                found = {key: _flat(value) for key, value in found.items()}
            if "\\ud" in text or "\\uD" in text:
                _quote("".join(_strings(found))).encode()
        except json.JSONDecodeError as error:
            return f"not valid JSON: {error.msg}, at character {error.pos + 1}"
        except _TwiceError as error:
            return f"the key {error.args[0]!r} stands twice in an object"
        except RecursionError:
            return "JSON values are nested too deeply"
        except UnicodeEncodeError:
            return "a \\u escape stands for half a character"
        if self._has_aliases and len({self._column_of.get(key, (key,)) for key in found}) < len(found):
            return "two keys stand for the same column"
        return found


def _strings(record: Mapping[str, Any]) -> Iterator[str]:
    """The keys and the texts of a record."""
    return chain(record, (value for value in record.values() if isinstance(value, str)))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in keys if keys.count(key) > 1))
    return found


def _flat(value: Any) -> Any:
    return _Json(_as_json(value)) if isinstance(value, list | dict) else value


def _as_json(value: Any) -> str:
    """A decoded value as JSON text, its numbers as they were written."""
    if isinstance(value, _Json):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quote(key)}: {_as_json(each)}" for key, each in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([_as_json(each) for each in value]) + "]"
    return json.dumps(value, ensure_ascii=False)


def _texts(objects: list[dict[str, str | bool | None]], names: tuple[str, ...]) -> Any:
    """The values of a column, which has one of these names, as text."""
    if len(names) == 1:
        values = [record.get(names[0]) for record in objects]
    else:
        values = [next((record[name] for name in names if name in record), None) for record in objects]
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # booleans among them
        return pa.array([_as_json(value) if isinstance(value, bool) else value for value in values], pa.string())


def _rescued(record: Mapping[str, str | bool | None], new: set[str]) -> str | None:
    found = {key: value for key, value in record.items() if key in new}
    return _as_json(found) if found else None
