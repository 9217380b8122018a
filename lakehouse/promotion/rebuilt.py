"""A journal that was lost, made again from what its batch wrote into the table's commit.

The verdicts of the gate are not in it: they stay lost. What was refused lies in staging until the batch is finalized.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from lakehouse.accounts import ops_tables, received
from lakehouse.accounts.journal import Journal, broken_batches, encode
from lakehouse.declare.table import Table
from lakehouse.promotion.quarantine import quarantine_of
from lakehouse.promotion.staged import Staged
from lakehouse.store import arrow, log, versions
from lakehouse.store.lake import Lake


def facts(staged: Staged, at: str) -> dict[str, Any]:
    """What a commit must say so that its batch can be accounted for without its journal."""
    account = {name: value for name, value in asdict(staged.account).items() if value is not None and value != {}}
    told: dict[str, Any] = json.loads(json.dumps({"at": at, "account": account}, default=encode))
    return told | {"consumed": staged.consumed, "notes": flags(staged)}


def flags(staged: Staged) -> dict[str, bool]:
    """How the quarantine of a batch is kept: whether it replaces all refusals of its step, or may repeat some."""
    return {"replaces": staged.full or staged.groups is None, "repeats": bool(staged.step.reads)}


def unaccounted(lake: Lake, table: Table) -> Iterator[log.Head]:
    """Batches that the table holds and whose journals are damaged or gone, oldest first."""
    lost = broken_batches(lake)
    head, last = log.head(lake, table.name), versions.known(lake, table.name)
    # What was accounted for was written down; what was not has a journal.
    if head and head.batch_id and last and last.batch_id != head.batch_id:
        lost |= {head.batch_id} - {path.stem for path in lake.journal.glob("*.json")}
    if lost:
        yield from reversed([batch for batch in log.batches(lake, table.name) if batch.batch_id in lost])


def journal_of(lake: Lake, table: Table, batch: log.Head) -> Journal | None:
    """The journal of a published batch as its commit tells it; None where an older version wrote the commit."""
    told = batch.told
    if "account" not in told or batch.batch_id is None:
        return None
    journal = Journal(lake.journal / f"{batch.batch_id}.json", batch.batch_id, table.name, told["step"])
    shared = {"run_id": told["run_id"], "batch_id": batch.batch_id, "table": table.name, "step": told["step"]}
    shared["at"] = told["at"]
    journal.add_lineage(shared, told["consumed"], told["progress"][told["step"]])
    journal.add(ops_tables.FILES, *received.rows_of(batch, table))
    journal.notes = {"account": told["account"], **told["notes"], "is_rebuilt": True}
    return journal


def refusals_lost(lake: Lake, table: Table, batch: log.Head) -> int:
    """How many rows a batch refused and its quarantine does not show: lost, or there since an earlier batch."""
    refused: int = batch.told["account"].get("rows_quarantined", 0)
    if not refused:
        return 0
    kept = len(arrow.rows(lake, quarantine_of(table), ("_batch_id", "=", batch.batch_id)))
    return max(refused - kept, 0)
