"""What a contender made, read from its Delta tables by a reader that is neither: all must have made the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

TABLES = ("bronze.shop_products", "bronze.shop_order_lines", "silver.products", "silver.order_lines")


@dataclass(frozen=True)
class Facts:
    """Rows and rejected rows of each table, rejections by rule, the sum of all amounts, and the days."""

    counts: dict[str, Any]
    days: pl.DataFrame

    @property
    def duplicates(self) -> int:
        """Order lines that are neither in silver nor in its quarantine."""
        lines = self.counts["bronze.shop_order_lines"] - self.counts["silver.order_lines"]
        return int(lines - self.counts["silver.order_lines rejected"])


def facts_of(warehouse: Path) -> Facts:
    """Count what lies in a warehouse."""
    counts: dict[str, Any] = {}
    for name in TABLES:
        counts[name] = _scan(warehouse, name).select(pl.len()).collect().item()
        rejected = _scan(warehouse, f"{name}__quarantine").collect() if _exists(warehouse, name) else pl.DataFrame()
        counts[f"{name} rejected"] = len(rejected)
        if len(rejected):
            rules = rejected.explode("_errors")["_errors"].struct.field("rule").value_counts().sort("rule")
            counts[f"{name} rejected by rule"] = dict(rules.iter_rows())
    counts["amount"] = _scan(warehouse, "silver.order_lines").select(pl.col("amount").sum()).collect().item()
    return Facts(counts, _scan(warehouse, "gold.sales_daily").collect().sort("shop_id", "sold_on", "currency"))


def differences(one: Facts, other: Facts) -> list[str]:
    """What is not the same, in words; empty where all is."""
    told = [
        f"{name}: {one.counts.get(name)} and {other.counts.get(name)}"
        for name in sorted(one.counts.keys() | other.counts.keys())
        if one.counts.get(name) != other.counts.get(name)
    ]
    try:
        assert_frame_equal(one.days, other.days, check_column_order=False, check_exact=True)
    except AssertionError as error:
        told.append(f"gold.sales_daily: {error}")
    return told


def _exists(warehouse: Path, name: str) -> bool:
    return warehouse.joinpath(*f"{name}__quarantine".split("."), "_delta_log").is_dir()


def _scan(warehouse: Path, name: str) -> pl.LazyFrame:
    return pl.scan_delta(str(warehouse.joinpath(*name.split("."))))
