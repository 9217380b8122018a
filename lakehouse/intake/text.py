"""From the bytes of a delivered file to text: unzipped, decoded to UTF-8, in blocks.

What a feed declares is believed until the bytes say otherwise. Then the encoding is told from them, and what was found
is a note on the file; where it stays doubtful, the file is not read at all.
"""

from __future__ import annotations

import codecs
import gzip
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa

from lakehouse.errors import FileUnreadable

_FOREIGN = {
    b"PK\x03\x04": "a zip archive or a workbook",
    b"BZh": "compressed with bzip2",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xfd7zXZ\x00": "compressed with xz",
}
_MARKS = {  # the longer first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_NOT_REGULAR = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ASCII = bytes(range(128))
_CONTROL = bytes({*range(32), 127} - set(b"\t\n\v\f\r\x1a\x1b"))
_NOT_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_HEAD_BYTES = 4096
_CHANCE = 10
"""So many bytes that are no UTF-8 outweigh one character that is: text of one byte per character has some by chance."""


class NotUtf8(FileUnreadable):
    """A text is not UTF-8; `where` says at which byte and line this shows first."""

    def __init__(self, file: str, encoding: str, at: int, line: int) -> None:
        super().__init__(_wrong_encoding(file, encoding, at, line))
        self.where = f"byte {at:,}, in line {line:,}"


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


def not_a_file(path: Path) -> str | None:
    """What stands at a path in place of a file, such as a named pipe, which would never end; None for a file.

    Raises OSError where nothing stands there.
    """
    return _NOT_REGULAR.get(stat.S_IFMT(path.stat().st_mode))


def text_of(path: Path, file: str, size_bytes: int, encoding: str, chunk_bytes: int) -> Iterator[bytes]:
    """A file's text as UTF-8 without byte order mark, in chunks of about `chunk_bytes`; the last chunk is empty.

    UTF-8 itself is passed on unchecked. Raises FileUnreadable, also where the file no longer has `size_bytes`.
    """
    with _opened(path, file) as (raw, source):
        _check_size(raw, file, size_bytes)
        decode, is_first = _decoder(file, encoding), True
        while chunk := _read(source, chunk_bytes, file):
            text = decode(chunk)
            if is_first:
                text = text.removeprefix(codecs.BOM_UTF8)
            is_first = False
            if text:
                yield text
        if tail := decode(b""):
            yield tail
        _check_size(raw, file, size_bytes)
    yield b""


def encoding_of(path: Path, file: str, declared: str) -> tuple[str, str]:
    """The encoding that a file's byte order mark tells, else the declared one; and a note where they differ.

    Text of which every other byte is 0 is UTF-16 without a mark. Raises FileUnreadable.
    """
    with _opened(path, file) as (_, source):
        head = _read(source, _HEAD_BYTES, file)
    told = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
    is_wide = codecs.lookup(declared).name.startswith(("utf-16", "utf-32"))
    if told is None and not is_wide and (meant := _unmarked_utf16(head)):
        return meant, f"has no byte order mark and was read as {meant}, since every other byte is 0, not as {declared}"
    if told is None or told.startswith(codecs.lookup(declared).name.removesuffix("-sig")):
        return declared, ""
    return told, f"was read as {told}, as its byte order mark says, and not as {declared}"


def _unmarked_utf16(head: bytes) -> str | None:
    """Which UTF-16 a text without a mark begins in, by the zeros beside its plain letters; None for other text."""
    pairs = len(head) // 2
    zeros = {"utf-16-be": head[: 2 * pairs : 2].count(0), "utf-16-le": head[1 : 2 * pairs : 2].count(0)}
    likely, other = sorted(zeros, key=lambda encoding: -zeros[encoding])
    return likely if zeros[likely] * 2 > pairs and zeros[other] * 100 < pairs else None


def encoding_instead(path: Path, file: str, failed: NotUtf8, chunk_bytes: int) -> tuple[str, str]:
    """The encoding of a file that is not UTF-8, cp1252 or Latin-1, and the note that says so.

    Text of one byte per character has hardly a byte sequence that UTF-8 has too. A file with many of these is UTF-8
    that was damaged or mixed: read as anything else, its good characters would be spoilt, so it is not read.
    Raises FileUnreadable.
    """
    good = bad = controls = size = 0
    encoding = "cp1252"
    with _opened(path, file) as (_, source):
        while chunk := _read(source, chunk_bytes, file):
            rest, found = _UTF8_CHARACTER.subn(b"", chunk)
            good += found
            bad += len(rest.translate(None, _ASCII))
            controls += len(chunk) - len(chunk.translate(None, _CONTROL))
            size += len(chunk)
            if any(byte in chunk for byte in _NOT_CP1252):
                encoding = "latin-1"
    if controls * 100 > size:
        raise FileUnreadable(f"{file} is no text: {controls:,} of its {size:,} bytes are control bytes; deliver text")
    if good * _CHANCE > bad:
        raise FileUnreadable(
            f"{failed}; nor is it cp1252: beside {bad:,} such bytes it has {good:,} characters that are utf-8"
        )
    return encoding, f"is not utf-8 text ({failed.where}) and was read as {encoding}"


@contextmanager
def _opened(path: Path, file: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The file, and its content unzipped. Raises FileUnreadable."""
    try:
        with path.open("rb") as raw:
            yield raw, _unzipped(raw, file)
    except OSError as error:
        raise FileUnreadable(cannot_open(file, error)) from error


def _unzipped(raw: IO[bytes], file: str) -> IO[bytes]:
    head = raw.read(8)
    raw.seek(0)
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise FileUnreadable(f"{file} is {what}; deliver it as plain text or compressed with gzip")
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if file.lower().endswith(".gz"):
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


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def _decoder(file: str, encoding: str) -> Callable[[bytes], bytes]:
    """From an encoding to UTF-8, chunk by chunk; an empty chunk ends the text."""
    if _is_utf8(encoding):
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
            raise FileUnreadable(_wrong_encoding(file, encoding, at, lines + before + 1)) from error
        lines += text.count("\n")
        return text.encode("utf-8")

    return decode


def _wrong_encoding(file: str, encoding: str, at: int, line: int) -> str:
    return (
        f"{file} is not {encoding} text: byte {at:,} of the text, in line {line:,}, cannot be read;"
        " deliver it in this encoding, or change the feed's"
    )


def check_utf8(file: str, encoding: str, block: bytes, at: int, line: int) -> None:
    """Raise NotUtf8 at the first byte that is not UTF-8; the block begins at byte `at` and at line `line`."""
    whole = pa.py_buffer(np.array([0, len(block)], dtype=np.int64))
    try:
        pa.LargeStringArray.from_buffers(1, whole, pa.py_buffer(block)).validate(full=True)
    except pa.ArrowInvalid:  # pyarrow is fast and does not say where
        try:
            block.decode("utf-8")
        except UnicodeDecodeError as error:
            line += block.count(b"\n", 0, error.start)
            raise NotUtf8(file, encoding, at + error.start, line) from error
        raise
