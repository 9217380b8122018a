"""At which version a table must stand at least, so that a commit that got lost is missed.

To Delta a table whose newest commit is gone is an older table, and one without a log is none. So the version that a
batch made is written down, with the hash of its commit, when the batch is accounted for: `ops/_versions/<table>.json`.
What a reader has consumed says the same of warehouses from before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lakehouse.errors import TableDamaged
from lakehouse.store import durable, log
from lakehouse.store.damage import damaged, witness
from lakehouse.store.lake import Lake


@dataclass(frozen=True)
class Known:
    """A commit that was accounted for: version, SHA-256 of its file, and the last batch of the table then, if any."""

    version: int
    sha256: str
    batch_id: str | None = None


def known(lake: Lake, name: str) -> Known | None:
    """The newest commit of a table that was accounted for; None where nobody has written it down."""
    path = witness(lake, name)
    try:
        return Known(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise TableDamaged(
            f"{name}: {path} is damaged, so nobody knows whether a commit of the table is missing; restore it from a "
            "backup, or delete it if the table is as it was"
        ) from None


def note(lake: Lake, name: str) -> None:
    """Write down where a table stands now, through to the disk. Nothing for a table that does not exist."""
    head = log.head(lake, name)
    if head is None:
        return
    path = witness(lake, name)
    path.parent.mkdir(exist_ok=True)
    stands = Known(head.version, _hash(log.commit_file(lake, name, head.version)), head.batch_id)
    durable.write(path, json.dumps(asdict(stands)))


def check(lake: Lake, name: str, consumed: int = -1, *, may_be_gone: bool = False) -> None:
    """Raise `TableDamaged` unless a table stands where it was seen last: by its batches, or by who `consumed` it.

    Also where commits in between are missing. `may_be_gone` allows that the whole table was removed.
    """
    # The witness first: a version that another run writes down meanwhile is in the log before.
    last = known(lake, name)
    expected = max(consumed, -1 if last is None else last.version)
    found, checkpoint = log.versions(lake, name)
    newest = found[-1] if found else -1
    if newest < 0 and (expected < 0 or may_be_gone):
        return
    folder = f"{lake.path(name)}/_delta_log"
    if newest < max(expected, checkpoint):
        stands = f"ends at version {newest}" if found else "is gone"
        raise damaged(lake, name, f"its log {stands}, but version {max(expected, checkpoint)} was there ({folder})")
    present = set(found)
    missing = [version for version in range(checkpoint + 1, newest) if version not in present]
    if missing:
        listed = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
        raise damaged(lake, name, f"{len(missing)} versions are missing in {folder}: {listed}")
    if last is not None and last.version in present:
        file = log.commit_file(lake, name, last.version)
        if _hash(file) != last.sha256:
            raise damaged(lake, name, f"{file} ({file.stat().st_size} bytes) is not what was published")


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
