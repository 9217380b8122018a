"""The moves of aliases as `ops.model_moves` has them: which version became champion of which shop, when and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from rich.table import Table as Grid

from lakehouse.accounts import ops_tables
from lakehouse.store import arrow
from lakehouse.store.lake import Lake


def made(lake: Lake, name: str | None = None) -> list[dict[str, Any]]:
    """The moves of all aliases, or of one model's, the newest first."""
    found = arrow.rows(lake, ops_tables.MODEL_MOVES, None if name is None else ("model", "=", name))
    return sorted(found.to_pylist(), key=lambda move: (move["at"], move["batch_id"]), reverse=True)


def shown(moves: Sequence[dict[str, Any]]) -> Grid | str:
    """Each move of an alias, the newest first."""
    if not moves:
        return "No model has been trained here yet."
    grid = Grid("at (UTC)", "model", "alias", "from", "to", "why", box=None, pad_edge=False)
    for move in moves:
        before = "·" if move["from_version"] is None else str(move["from_version"])
        at = move["at"].astimezone(UTC)
        grid.add_row(f"{at:%Y-%m-%d %H:%M}", move["model"], move["alias"], before, str(move["to_version"]), move["why"])
    return grid
