"""Delivered files: how a feed is declared, found, known by content, and read with every physical line accounted for.

The accounts of a file start from its bytes, not from what a parser returned: its line breaks are counted on their own,
and `lines = header + blank + continuation + records + broken` must hold. A broken record breaks its first line alone;
reading goes on at the next one.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from operator import add
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from lakehouse.declare.table import Table
from lakehouse.errors import AccountsImbalance, FileUnreadable, UsageError
from lakehouse.intake.feeds import Feed
from lakehouse.intake.folder import paths_of
from lakehouse.intake.records import OtherDialect, Parser, Piece, parser_of
from lakehouse.intake.text import NotUtf8, cannot_open, empty, encoding_instead, encoding_of, not_a_file, text_of

BLOCK_BYTES = 16 * 1024 * 1024
"""Text held at once while a file is read, in bytes after decompression."""
COMBINED_BYTES = 16 * 1024 * 1024
"""Rows of delivered files are put together until they take so much: each file costs a reader a few milliseconds."""


@dataclass(frozen=True)
class DeliveredFile:
    """A file in the input folder; `file` is its name relative to the folder, `file_id` the SHA-256 of its bytes."""

    path: str
    file: str
    file_id: str
    size_bytes: int


@dataclass(frozen=True)
class FileReport:
    """What came of a file; all counts are physical lines but `records`, whose first lines they are.

    `message` says what is wrong, where, and what to do; of a file that was loaded, in what it is not as declared, if in
    anything. `broken` counts lines, one per broken record. `new_columns` are header names that the feed does not know,
    `missing_columns` those of its columns that the file lacks (for JSON lines: that no record has). A `known` file was
    loaded before, under any name; one `not taken` belongs to no feed.
    """

    file: str
    file_id: str
    size_bytes: int
    status: Literal["loaded", "known", "unreadable", "not taken"]
    message: str = ""
    lines: int = 0
    header_lines: int = 0
    blank_lines: int = 0
    continuation_lines: int = 0
    records: int = 0
    broken: int = 0
    new_columns: tuple[str, ...] = ()
    missing_columns: tuple[str, ...] = ()

    @property
    def is_balanced(self) -> bool:
        """Whether every physical line is accounted for, once."""
        told = self.header_lines + self.blank_lines + self.continuation_lines + self.records + self.broken
        return self.lines == told


@dataclass(frozen=True)
class Delivery:
    """The files of a feed in the input folder, sorted by name.

    `known` have the same content as a file that was loaded before, or as an earlier one of `new`.
    """

    new: list[DeliveredFile] = field(default_factory=list)
    known: list[DeliveredFile] = field(default_factory=list)
    unreadable: list[FileReport] = field(default_factory=list)


def discover(feed: Feed, input_dir: Path, known_ids: Collection[str]) -> Delivery:
    """The feed's files below `input_dir`, told apart by content; empty where there are none.

    Names that mark an upload under way (`.tmp`, `.part`, ...) are left for the next time. Raises UsageError where the
    folder is missing or cannot be listed.
    """
    if not input_dir.is_dir():
        raise UsageError(f"the input folder {input_dir} does not exist; give the folder that the files are put into")
    paths = sorted(paths_of(feed, input_dir), key=lambda path: path.relative_to(input_dir).as_posix())
    delivery, seen = Delivery(), set(known_ids)
    with ThreadPoolExecutor(max_workers=4) as pool:  # hashing leaves Python's lock alone
        for found in pool.map(lambda path: _identify(path, path.relative_to(input_dir).as_posix()), paths):
            if isinstance(found, FileReport):
                delivery.unreadable.append(found)
            elif found.file_id in seen:
                delivery.known.append(found)
            else:
                seen.add(found.file_id)
                delivery.new.append(found)
    return delivery


def _identify(path: Path, file: str) -> DeliveredFile | FileReport:
    try:
        if what := not_a_file(path):  # to open a named pipe would wait for a writer
            return FileReport(file, "", 0, "unreadable", f"{file} is {what}, not a file; deliver a file")
        with path.open("rb") as stream:
            file_id = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
    except OSError as error:
        return FileReport(file, "", 0, "unreadable", cannot_open(file, error))
    if size == 0:
        return FileReport(file, file_id, 0, "unreadable", empty(file))
    return DeliveredFile(str(path), file, file_id, size)


def read_files(
    spark: SparkSession,
    files: Sequence[DeliveredFile],
    feed: Feed,
    table: Table,
    staging: str,
    batch_id: str,
    ingested_at: datetime,
    tasks: int,
) -> list[FileReport]:
    """Read files in at most `tasks` Spark tasks, straight into Parquet; their reports, in the order of `files`.

    Records land in `staging/accepted` with the columns of `table`, broken lines in `staging/quarantined`; a file that
    cannot be read leaves nothing in either. `staging` is a folder that all of Spark's workers can write to. Raises
    AccountsImbalance where the lines of a file do not add up.
    """
    if ingested_at.tzinfo is None:
        raise UsageError("the time of ingestion must carry its time zone")
    for part in ("accepted", "quarantined"):
        Path(staging, part).mkdir(parents=True, exist_ok=True)
    if not files:
        return []
    buckets = _buckets(files, tasks)
    columns = tuple(table.all_columns)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for bucket in batch.column("id").to_pylist():
                reports = [
                    read_file(delivered, feed, columns, staging, batch_id, ingested_at) for delivered in buckets[bucket]
                ]
                _combine([Path(staging, "accepted", f"{report.file_id}.parquet") for report in reports])
                yield pa.RecordBatch.from_pydict({"report": [json.dumps(asdict(report)) for report in reports]})

    rows = spark.range(0, len(buckets), 1, len(buckets)).mapInArrow(read, "report string").collect()
    reports = [_report(row.report) for row in rows]
    for report in reports:
        if not report.is_balanced:
            raise AccountsImbalance(f"{report.file}: its {report.lines} lines do not add up: {report}")
    by_file = {report.file: report for report in reports}
    return [by_file[delivered.file] for delivered in files]


def _combine(files: Sequence[Path]) -> None:
    """Make few files of many small ones: those that are there are put together under the name of the first."""
    small = [file for file in files if file.exists() and file.stat().st_size < COMBINED_BYTES]
    sizes = itertools.accumulate(file.stat().st_size for file in small)
    for _, part in itertools.groupby(zip(small, sizes, strict=True), lambda each: each[1] // COMBINED_BYTES):
        together = [file for file, _ in part]
        if len(together) > 1:
            scratch = together[0].with_name(f"_{together[0].name}")
            rows = pa.concat_tables([pq.read_table(file, page_checksum_verification=True) for file in together])
            with _writer(scratch, rows.schema) as writer:
                writer.write_table(rows)
            for file in together:
                file.unlink()
            scratch.rename(together[0])


def _writer(path: Path, schema: pa.Schema) -> Any:
    return pq.ParquetWriter(  # read as a whole by the next step: statistics would cost more than they save
        path,
        schema,
        compression="snappy",
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
        use_dictionary=[name for name in schema.names if name != "_source_row"],
        column_encoding={"_source_row": "DELTA_BINARY_PACKED"},
    )


def _report(text: str) -> FileReport:
    told = json.loads(text)
    return FileReport(**told | {name: tuple(told[name]) for name in ("new_columns", "missing_columns")})


def _buckets(files: Sequence[DeliveredFile], tasks: int) -> list[list[DeliveredFile]]:
    """Files spread over tasks, the largest first, each to the task that has the least to read."""
    buckets: list[list[DeliveredFile]] = [[] for _ in range(max(1, min(tasks, len(files))))]
    heap = [(0, index) for index in range(len(buckets))]
    for delivered in sorted(files, key=lambda each: -each.size_bytes):
        load, index = heapq.heappop(heap)
        buckets[index].append(delivered)
        heapq.heappush(heap, (load + delivered.size_bytes, index))
    return buckets


def read_file(
    delivered: DeliveredFile,
    feed: Feed,
    columns: Sequence[str],
    staging: str,
    batch_id: str,
    ingested_at: datetime,
    block_bytes: int = BLOCK_BYTES,
) -> FileReport:
    """Read one file, block by block, into Parquet in `staging`; `columns` are those of its bronze table, in order.

    The rows appear under their final names only once the whole file was read.
    """
    file, path = delivered.file, Path(delivered.path)
    told = partial(FileReport, file, delivered.file_id, delivered.size_bytes)
    trailing: bool | None = None
    try:
        encoding, note = encoding_of(path, file, feed.encoding)
        while True:
            parser = parser_of(feed, file, trailing)
            staged = _Staged(delivered, columns, Path(staging), batch_id, ingested_at)
            try:
                lines, *counted = _read(delivered, encoding, parser, staged, block_bytes)
                break
            except NotUtf8 as failed:
                encoding, note = encoding_instead(path, file, failed, block_bytes)
            except OtherDialect as other:
                trailing = other.trailing
            finally:
                staged.discard()
    except FileUnreadable as error:
        return told("unreadable", str(error))
    blank, continuation, records, broken = counted
    notes = [note] if note else []
    notes += parser.notes
    if not records and not broken:
        notes.append("has a header and no record")
    return told(
        "loaded",
        message=f"{file} {'; '.join(notes)}" if notes else "",
        lines=lines,
        header_lines=parser.header_lines,
        blank_lines=blank,
        continuation_lines=continuation,
        records=records,
        broken=broken,
        new_columns=tuple(parser.new_columns),
        missing_columns=parser.missing_columns,
    )


def _read(
    delivered: DeliveredFile, encoding: str, parser: Parser, staged: _Staged, block_bytes: int
) -> tuple[int, int, int, int, int]:
    """Read a whole file into staging; its lines, and of these blank, continuation, first of a record, and broken.

    Raises FileUnreadable, NotUtf8 among these, and OtherDialect.
    """
    line, lines, counted = 1, 0, (0, 0, 0, 0)
    rest = b""
    for chunk in text_of(Path(delivered.path), delivered.file, delivered.size_bytes, encoding, block_bytes):
        lines += chunk.count(b"\n")
        block, is_last = rest + chunk, not chunk
        if is_last and block and not block.endswith(b"\n"):
            lines += 1
            block += b"\n"
        end = block.rfind(b"\n") + 1
        if not end and len(block) > 4 * block_bytes:
            raise FileUnreadable(
                f"{delivered.file}: line {line:,} is longer than {4 * block_bytes:,} bytes; check that this is a"
                " text file with line breaks (LF or CRLF), and deliver it again"
            )
        pieces = list(parser.pieces(block[:end], line, is_last)) if end else []
        rest = block[sum(piece.size for piece in pieces) :]
        for piece in pieces:
            line += piece.lines
            told = piece.blank, piece.continuation, len(piece.rows), len(piece.broken)
            counted = tuple(map(add, counted, told))
        staged.add(pieces)
    parser.finish()
    staged.publish()
    return lines, *counted


class _Staged:
    """The rows of one file on their way into staging: under a name that Spark does not read until all are there."""

    def __init__(
        self, delivered: DeliveredFile, columns: Sequence[str], staging: Path, batch_id: str, ingested_at: datetime
    ) -> None:
        self._delivered = delivered
        self._columns = columns
        self._constants: dict[str, tuple[Any, Any]] = {
            "_source_file": (delivered.file, pa.string()),
            "_batch_id": (batch_id, pa.string()),
        }
        self._constants["_ingested_at"] = (ingested_at.astimezone(UTC), pa.timestamp("us", tz="UTC"))
        self._folders = {part: staging / part for part in ("quarantined", "accepted")}
        self._writing = f"_{delivered.file_id}.{uuid4().hex}.parquet"
        self._writers: dict[str, Any] = {}

    def add(self, pieces: Sequence[Piece]) -> None:
        """Write the records and the broken lines of a block, one row group of each."""
        accepted = [self._accepted(piece) for piece in pieces if len(piece.rows)]
        if accepted:
            self._write("accepted", pa.concat_tables(accepted))
        broken = [line for piece in pieces for line in piece.broken]
        if broken:
            reason = pa.struct([("rule", pa.string()), ("message", pa.string()), ("columns", pa.list_(pa.string()))])
            errors = [[{"rule": line.rule, "message": line.message, "columns": []}] for line in broken]
            arrays = {
                "_row": pa.array([line.text for line in broken], pa.string()),
                "_errors": pa.array(errors, pa.list_(reason)),
                "_source_row": pa.array([line.line for line in broken], pa.int64()),
            } | {name: self._constant(name, len(broken)) for name in self._constants}
            names = ("_row", "_errors", "_source_file", "_source_row", "_ingested_at", "_batch_id")
            self._write("quarantined", pa.table({name: arrays[name] for name in names}))

    def _accepted(self, piece: Piece) -> Any:
        count = len(piece.rows)
        arrays = {"_source_row": pa.array(piece.rows, pa.int64())}
        arrays |= {name: self._constant(name, count) for name in self._constants}
        arrays |= piece.values
        return pa.table({name: arrays[name] if name in arrays else _nulls(count) for name in self._columns})

    def _constant(self, name: str, count: int) -> Any:
        value, kind = self._constants[name]
        return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), count), pa.array([value], kind))

    def _write(self, part: str, rows: Any) -> None:
        if part not in self._writers:
            path = self._folders[part] / self._writing
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[part] = _writer(path, rows.schema)
        self._writers[part].write_table(rows)

    def publish(self) -> None:
        """Let the rows be seen."""
        for part, folder in self._folders.items():
            if part in self._writers:
                self._writers[part].close()
                (folder / self._writing).replace(folder / f"{self._delivered.file_id}.parquet")

    def discard(self) -> None:
        """Remove what was written and not published."""
        for part, writer in self._writers.items():
            writer.close()
            (self._folders[part] / self._writing).unlink(missing_ok=True)


def _nulls(count: int) -> Any:
    return pa.nulls(count, pa.string())
