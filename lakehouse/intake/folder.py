"""The input folder: which of its files belong to which feed, and what in it belongs to none."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from itertools import islice
from pathlib import Path, PurePosixPath

from lakehouse.errors import UsageError
from lakehouse.intake.feeds import Feed
from lakehouse.intake.text import not_a_file

_UPLOADING = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
_CHECKSUM = ".crc"
_SYSTEM = ("_SUCCESS", "Thumbs.db", "desktop.ini")
_ANSWERS = ("truth",)
"""Folder in which a synthetic shop keeps what is true of it; no pipeline reads it."""
_MANY = 1000
_LIKE = 0.7
"""Least likeness, from 0 to 1, of a name and a pattern for the one to be a mistyped other."""
_NUMBERS = re.compile(r"\d[\d._:-]*(?=[._-]|$)|\d+")
_EXTENSIONS = re.compile(r"(\.(csv|tsv|txt|json|jsonl|ndjson|gz|zip|bz2|xls|xlsx))+\*?$")

Parts = tuple[str, ...]


def paths_of(feed: Feed, input_dir: Path) -> Iterator[Path]:
    """Every file below a folder that is named like the feed's files, in whatever case; files under way are not.

    What is named like a file and is no folder and no file either, such as a named pipe, is among them. Raises
    UsageError where a folder cannot be listed.
    """
    wanted = PurePosixPath(feed.pattern).parts
    for entry, parts in _walk(input_dir, [wanted]):
        if _takes(parts, wanted) and not entry.is_dir() and not _is_under_way(entry.name):
            yield Path(entry.path)


def holds(feeds: Sequence[Feed], folder: Path) -> bool:
    """Whether a folder holds a file of one of the feeds. Raises UsageError where it cannot be listed."""
    return any(next(paths_of(feed, folder), None) for feed in feeds)


def meant_instead(feeds: Sequence[Feed], folder: Path) -> list[str]:
    """Where files of the feeds lie that are not in this folder: one folder above it, or in folders inside."""
    inside = [entry.path for entry in _entries(folder) if entry.is_dir()]
    found = []
    for place in (f"{folder}/..", *inside):
        try:
            found += [place] if holds(feeds, Path(place)) else []
        except UsageError:
            continue  # what cannot be listed was hardly meant
    return found[:1] if found[:1] == [f"{folder}/.."] else found


def unaccounted(feeds: Sequence[Feed], input_dir: Path) -> list[tuple[str, int, str]]:
    """What lies in the input folder and is taken by none of these feeds: its name, its size in bytes, and why.

    `feeds` are all that are known, also those that nobody asked for. A folder that leads to no feed is one entry.
    Hidden files and what systems leave behind are nothing that anybody delivers.
    """
    patterns = [PurePosixPath(feed.pattern).parts for feed in feeds]
    found = []
    for entry, parts in _walk(input_dir, patterns, is_patient=True):
        is_folder, name = entry.is_dir(), "/".join(parts)
        is_named_so = any(_takes(parts, wanted) for wanted in patterns)
        if is_folder:
            if parts == _ANSWERS or (_is_open(entry) and any(_leads(parts, wanted) for wanted in patterns)):
                continue
            why = _why_folder(entry, name, is_named_so, feeds)
        elif is_named_so and not _is_under_way(entry.name):
            continue
        else:
            why = _why_file(entry, name, feeds)
        if why:
            found.append((name, 0 if is_folder else _size(entry), why))
    return found


def _why_folder(entry: os.DirEntry[str], name: str, is_named_like_a_file: bool, feeds: Sequence[Feed]) -> str:
    """Why a folder is not taken, with what is in it and what may have been meant; empty where nothing is in it."""
    if not _is_open(entry):
        return f"{name}/ cannot be listed; allow this user to read it"
    files = list(islice(_files_below(Path(entry.path)), _MANY))
    if not files:
        return ""
    count = f"{_MANY:,} files or more" if len(files) == _MANY else f"{len(files):,} file{'s' if len(files) > 1 else ''}"
    if is_named_like_a_file:
        return f"{name}/ ({count}) is a folder with the name of a file; put its files beside it, each under such a name"
    return f"{name}/ ({count}) belongs to no feed{_hint([name, f'{name}/{files[0]}'], feeds)}"


def _why_file(entry: os.DirEntry[str], name: str, feeds: Sequence[Feed]) -> str:
    """Why a file is not taken, and what may have been meant; empty where it is gone by now."""
    if name.lower().endswith(_UPLOADING):
        return f"{name} is still being uploaded; it is taken once it has its final name"
    if name.lower().endswith(_CHECKSUM):
        return f"{name} is a checksum and no delivery"
    try:
        what = not_a_file(Path(entry.path))
    except OSError:
        if not os.path.lexists(entry.path):
            return ""
        what = "a link to nothing"
    return f"{name} {f'is {what} and ' if what else ''}belongs to no feed{_hint([name], feeds)}"


def _hint(names: Sequence[str], feeds: Sequence[Feed]) -> str:
    """The pattern that one of the names comes nearest to, as a question; where none is near, what its folder takes."""
    patterns = list(dict.fromkeys(re.sub(r"(\.\w+)\*$", r"\1", feed.pattern) for feed in feeds))
    likeness = {pattern: max(_likeness(name, pattern) for name in names) for pattern in patterns}
    best = max(patterns, key=lambda pattern: likeness[pattern], default="")
    if best and likeness[best] >= _LIKE:
        return f"; did you mean {best}?"
    folder = _folder(names[0])
    here = [pattern for pattern in patterns if folder and _folder(pattern) == folder]
    return f"; expected {', '.join(here)}" if here else ""


def _likeness(name: str, pattern: str) -> float:
    """How much a file is named like a pattern, numbers and extensions aside: in its folder, or in a wrong one."""
    named, wanted = (_EXTENSIONS.sub("", _NUMBERS.sub("*", text.casefold())) for text in (name, pattern))
    alone = SequenceMatcher(None, named.rpartition("/")[2], wanted.rpartition("/")[2]).ratio()
    if _folder(name) == _folder(pattern):
        return alone
    return max(alone, SequenceMatcher(None, named, wanted).ratio())


def _folder(name: str) -> str:
    return name.rpartition("/")[0].casefold()


# Walking


def _walk(
    folder: Path, patterns: Sequence[Parts], above: Parts = (), *, is_patient: bool = False
) -> Iterator[tuple[os.DirEntry[str], Parts]]:
    """What lies in a folder, and in folders on the way to files of the patterns; hidden things are left out.

    Raises UsageError where a folder cannot be listed, or, if it `is_patient`, goes past it.
    """
    for entry in _entries(folder):
        if entry.name.startswith(".") or entry.name in _SYSTEM:
            continue
        parts = (*above, entry.name)
        yield entry, parts
        on_the_way = [wanted for wanted in patterns if _leads(parts, wanted)]
        if on_the_way and entry.is_dir() and (_is_open(entry) or not is_patient):
            yield from _walk(Path(entry.path), on_the_way, parts, is_patient=is_patient)


def _takes(parts: Parts, wanted: Parts) -> bool:
    """Whether a name matches a pattern, part by part and in whatever case."""
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return _takes(parts, wanted[1:]) or (bool(parts) and _takes(parts[1:], wanted))
    return bool(parts) and _is_like(parts[0], wanted[0]) and _takes(parts[1:], wanted[1:])


def _leads(parts: Parts, wanted: Parts) -> bool:
    """Whether a folder may hold, at any depth, what matches a pattern."""
    if not parts or not wanted or wanted[0] == "**":
        return bool(wanted)
    return _is_like(parts[0], wanted[0]) and _leads(parts[1:], wanted[1:])


def _is_like(name: str, pattern: str) -> bool:
    return _any_case(pattern).match(name) is not None


@cache
def _any_case(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern), re.IGNORECASE)


def _is_under_way(name: str) -> bool:
    return name.lower().endswith((*_UPLOADING, _CHECKSUM))


def _is_open(entry: os.DirEntry[str]) -> bool:
    return os.access(entry.path, os.R_OK | os.X_OK)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:  # it is gone, or nobody may look
        return 0


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; nothing where it is gone by now. Raises UsageError where it cannot be listed."""
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        raise UsageError(f"the input folder {folder} cannot be listed; allow this user to read it") from error


def _files_below(folder: Path) -> Iterator[str]:
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (name for name in files if not name.startswith(".") and name not in _SYSTEM)
