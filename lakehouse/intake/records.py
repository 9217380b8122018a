"""From the bytes of a delivered file to its records, line by line accounted for.

pyarrow parses CSV, and nothing that it says is believed before it was checked against the bytes: their line breaks are
counted here, and where a line was swallowed or split, the lines around it are read again with care. Files are read in
blocks, so memory does not grow with their size.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from lakehouse.errors import FileUnreadable

if TYPE_CHECKING:
    from lakehouse.intake.feeds import Feed

RESCUED = "_rescued_data"
MAX_RECORD_LINES = 500
"""A quoted value that has not ended after so many lines is taken for a quote that was never closed."""
_CAREFUL_BYTES = 256 * 1024
_JSON_BYTES = 512 * 1024  # Python's objects are ten times as large as their text; so many stay near the processor
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a workbook",
    b"BZh": "compressed with bzip2",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xfd7zXZ\x00": "compressed with xz",
}

_SEPARATOR = re.compile(r'^"?sep=([,;|\t])"?\r?$', re.IGNORECASE)
_DELIMITERS = (",", ";", "\t", "|")

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


# From bytes to text


def empty(file: str) -> str:
    """The message for a file that holds nothing."""
    return f"{file} is empty; ask its sender to deliver it again"


def cannot_open(file: str, error: OSError) -> str:
    """The message for a file that the system does not let us read."""
    if isinstance(error, FileNotFoundError):
        return f"{file} is no longer there; deliver it again"
    if isinstance(error, PermissionError):
        return f"{file} may not be read by this user; allow it to be read"
    return f"{file} cannot be read: {error.strerror or error}; check the disk and deliver it again"


def text_of(path: Path, file: str, size_bytes: int, encoding: str, chunk_bytes: int) -> Iterator[bytes]:
    """A file's text as UTF-8 without byte order mark, in chunks of about `chunk_bytes`; the last chunk is empty.

    UTF-8 itself is passed on unchecked. Raises FileUnreadable, also where the file no longer has `size_bytes`.
    """
    try:
        with path.open("rb") as raw:
            _check_size(raw, file, size_bytes)
            decode, is_first = _decoder(file, encoding), True
            source = _unzipped(raw, file)
            while chunk := _read(source, chunk_bytes, file):
                if is_first and is_utf8(encoding) and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    decode = _decoder(file, "utf-16")
                text = decode(chunk)
                if is_first:
                    text = text.removeprefix(codecs.BOM_UTF8)
                is_first = False
                if text:
                    yield text
            if tail := decode(b""):
                yield tail
            _check_size(raw, file, size_bytes)
    except OSError as error:
        raise FileUnreadable(cannot_open(file, error)) from error
    yield b""


def _unzipped(raw: IO[bytes], file: str) -> IO[bytes]:
    head = raw.read(8)
    raw.seek(0)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileUnreadable(f"{file} is {what}; deliver it as plain text or compressed with gzip")
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if file.endswith(".gz"):
        raise FileUnreadable(f"{file} is named .gz and is not gzip data; deliver it again, or under its right name")
    return raw


def _check_size(raw: IO[bytes], file: str, size_bytes: int) -> None:
    size = os.fstat(raw.fileno()).st_size
    if size != size_bytes:
        raise FileUnreadable(
            f"{file} changed while it was read, from {size_bytes:,} to {size:,} bytes; run again once it is complete"
        )


def _read(source: IO[bytes], chunk_bytes: int, file: str) -> bytes:
    try:
        return source.read(chunk_bytes)
    except EOFError as error:
        raise FileUnreadable(f"{file}: the gzip data ends too early, the file was cut off; deliver it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileUnreadable(f"{file}: the gzip data is damaged ({error}); deliver it again") from error


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8, under any of its names."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _decoder(file: str, encoding: str) -> Callable[[bytes], bytes]:
    """From an encoding to UTF-8, chunk by chunk; an empty chunk ends the text."""
    if is_utf8(encoding):
        return bytes
    decoder = codecs.getincrementaldecoder(encoding)()
    seen = lines = 0

    def decode(chunk: bytes) -> bytes:
        nonlocal seen, lines
        seen += len(chunk)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, errors="ignore").count("\n")
            at = seen - len(error.object) + error.start
            raise WrongEncoding(_wrong_encoding(file, encoding, at, lines + before + 1)) from error
        lines += text.count("\n")
        return text.encode("utf-8")

    return decode


class WrongEncoding(FileUnreadable):
    """A file is not text of the encoding that it was read with."""


def _wrong_encoding(file: str, encoding: str, at: int, line: int) -> str:
    return (
        f"{file} is not {encoding} text: byte {at:,} of the text, in line {line:,}, cannot be read;"
        " deliver it in this encoding, or change the feed's"
    )


def _check_utf8(file: str, encoding: str, block: bytes, at: int, line: int) -> None:
    """Raise FileUnreadable at the first byte that is not UTF-8; the block begins at byte `at` and at line `line`."""
    whole = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, whole, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:  # pyarrow is fast and does not say where
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            line += block.count(b"\n", 0, error.start)
            raise WrongEncoding(_wrong_encoding(file, encoding, at + error.start, line)) from error
        raise


# From text to records


class Parser:
    """Cuts blocks of whole lines into pieces, and knows which of the feed's columns it met."""

    def __init__(self, feed: Feed, file: str) -> None:
        self.feed = feed
        self.file = file
        self.header_lines = 0
        self.new_columns: tuple[str, ...] = ()
        self.missing_columns: tuple[str, ...] = ()
        self.notes: list[str] = []
        self._column_of = {alias: column for column, names in feed.columns.items() for alias in names}
        self._alike = _unambiguous(self._column_of)
        self._at = 0

    def pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        """The pieces of a block that begins at line `line`; what they leave of it belongs to the next block.

        Raises FileUnreadable.
        """
        _check_utf8(self.file, self.feed.encoding, block, self._at, line)
        for piece in self._pieces(block, line, is_last):
            self._at += piece.size
            yield piece

    def note(self, remark: str) -> None:
        """Keep a remark on how the file was read."""
        self.notes.append(remark)

    def finish(self) -> None:
        """Say what can only be said of the whole file. Raises FileUnreadable."""
        raise NotImplementedError

    def _pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        raise NotImplementedError


def _unambiguous(column_of: Mapping[str, str]) -> dict[str, str]:
    """The columns by their names' letters and digits alone, where these stand for one column."""
    found: dict[str, set[str]] = {}
    for name, column in column_of.items():
        found.setdefault(_plain(name), set()).add(column)
    return {plain: columns.pop() for plain, columns in found.items() if len(columns) == 1}


def _plain(name: str) -> str:
    """A header's name without what spellings differ in: case, blanks, dashes, underscores."""
    return re.sub(r"[\s_-]+", "", name.strip().strip('"').casefold())


def parser_of(feed: Feed, file: str) -> Parser:
    """The parser of a feed's format for one file."""
    return _JsonParser(feed, file) if feed.format == "jsonl" else _CsvParser(feed, file)


class _Fault(NamedTuple):
    rule: str
    message: str


_OPEN_QUOTE = _Fault("line.quote", "a quote is opened and not closed")
_STRAY_QUOTE = _Fault("line.quote", "a quote is opened and not closed before other text follows")
_STRAY_RETURN = _Fault("line.break", "a carriage return stands between values")


def _wrong_width(fields: int, width: int) -> _Fault:
    return _Fault("line.fields", f"{fields} field{'' if fields == 1 else 's'}, the header has {width}")


class _CsvParser(Parser):
    """CSV: by pyarrow where its answer agrees with the bytes, with care elsewhere.

    In both ways a record is one line, or, in a feed that allows it, several lines whose quotes are set strictly. A
    record that does not end, or has another number of fields than the header, makes its first line broken.
    """

    def __init__(self, feed: Feed, file: str) -> None:
        super().__init__(feed, file)
        self._width = 0
        self._delimiter = feed.delimiter
        self._place: dict[str, int] = {}
        self._new: dict[str, int] = {}
        self._limit = MAX_RECORD_LINES if feed.multiline else 1
        csv.field_size_limit(2**31 - 1)  # the module's own limit, 128 KiB, would break good records

    def finish(self) -> None:
        if not self._width:
            raise FileUnreadable(empty(self.file))

    def _pieces(self, block: bytes, line: int, is_last: bool) -> Iterator[Piece]:
        start = 0
        if not self._width:
            piece = self._header(block, line)
            yield piece
            start, line = piece.size, line + piece.lines
        window, small = len(block), _CAREFUL_BYTES
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
        """The lines up to the header, and the header."""
        start = blank = 0
        while start < len(block):
            end = block.index(b"\n", start) + 1
            if block[start:end].strip():
                break
            start, blank = end, blank + 1
        else:
            return Piece(start, blank, blank=blank)
        if not self.feed.has_header:
            self._know([names[0] for names in self.feed.columns.values()])
            return Piece(start, blank, blank=blank)
        end = block.rfind(b"\n", start, start + _CAREFUL_BYTES) + 1 or end
        lines = _lines(block[start:end])
        said = _SEPARATOR.match(lines[0])
        if said:  # a line for spreadsheets, which says the delimiter
            self._delimiter = said[1]
            self.note("the delimiter is the one that its first line says")
        first = 1 if said else 0
        fields, used = self._record(lines, first) if first < len(lines) else (_OPEN_QUOTE, 1)
        if not said and isinstance(fields, list) and len(fields) == 1 < len(self.feed.columns):
            fields, used = self._with_its_delimiter(lines, fields, used)
        if isinstance(fields, _Fault):
            raise FileUnreadable(f"{self.file}: in the header, line {line + blank:,}, {fields.message}; correct it")
        self._know(fields)
        used += first
        self.header_lines = used
        return Piece(start + _size(lines[:used]), blank + used, blank=blank)

    def _with_its_delimiter(self, lines: list[str], fields: list[str], used: int) -> tuple[list[str] | _Fault, int]:
        """The header by another delimiter, if that alone makes it the feed's."""
        declared, required = self._delimiter, set(self.feed.columns) - set(self.feed.optional)
        for other in _DELIMITERS:
            self._delimiter = other
            found, taken = self._record(lines, 0)
            if isinstance(found, list) and required <= {self._alike.get(_plain(name)) for name in found}:
                self.note(f"read with the delimiter {other!r}, which its header has")
                return found, taken
        self._delimiter = declared
        return fields, used

    def _know(self, header: list[str]) -> None:
        """Name the header's columns as the feed does, or say what is wrong with them."""
        given = [name.strip() or f"column {number}" for number, name in enumerate(header, 1)]
        found = f"its header has: {', '.join(given)[:1000]}"
        columns = [self._column_of.get(name) for name in given]
        exact = {column for column in columns if column}
        for index, name in enumerate(given):
            alike = self._alike.get(_plain(name))
            if columns[index] is None and alike is not None and alike not in exact:
                columns[index] = alike
        meant = [column or f"{name} (new)" for name, column in zip(given, columns, strict=True)]
        if twice := sorted({column for column in meant if meant.count(column) > 1}):
            raise FileUnreadable(f"{self.file} has two columns for {', '.join(twice)}; leave one of them; {found}")
        missing = [column for column in self.feed.columns if column not in columns]
        if required := [column for column in missing if column not in self.feed.optional]:
            wanted = ", ".join(" or ".join(self.feed.columns[column]) for column in required)
            hint = f"; is {self.feed.delimiter!r} the delimiter?" if len(given) == 1 < len(self.feed.columns) else ""
            raise FileUnreadable(
                f"{self.file} lacks the columns {wanted}; {found}{hint}; correct the header,"
                " or add the new name to the feed's columns"
            )
        self._width = len(given)
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
                broken.append(Broken(line + int(index), raw, *_wrong_width(row.actual_columns, self._width)))
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
            if isinstance(fields, list) and len(fields) != self._width:
                fields = _wrong_width(len(fields), self._width)
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

    def _is_blank(self, line: str) -> bool:
        """Whether nothing stands in a line; the one value of a narrow file may be spaces."""
        return not line if self._width == 1 else not line.strip() and self._delimiter not in line

    def _record(self, lines: list[str], index: int) -> tuple[list[str] | _Fault, int]:
        """The fields of the record that begins at a line, or why it has none, and how many lines it takes.

        It takes 0 lines where a quote was still open after the last of them and more lines could close it.
        """
        line, delimiter = lines[index], self._delimiter
        if '"' not in line:
            bare = line.rstrip("\r")
            return (_STRAY_RETURN, 1) if "\r" in bare else (bare.split(delimiter), 1)
        fields, used = _quoted(lines, index, 1, delimiter, strict=False)
        if used or self._limit == 1:
            return fields, 1
        fields, used = _quoted(lines, index, self._limit, delimiter, strict=True)
        return fields, used if used or len(lines) - index < self._limit else 1


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
            else:
                objects.append(found)
                rows.append(number)
        keys: set[str] = set().union(*objects)
        self._seen |= keys
        self._records += len(rows)
        values = {column: _texts(objects, names) for column, names in self.feed.columns.items()}
        if new := keys - self._column_of.keys():
            values[RESCUED] = pa.array([_rescued(record, new) for record in objects], pa.string())
        return Piece(len(text), len(lines), values, np.array(rows, np.int64), broken, blank)

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
                _quote("".join(chain(found, (value for value in found.values() if isinstance(value, str))))).encode()
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
