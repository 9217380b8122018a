"""Which purchases still count: those given back are no interest of their customer, from the day they came back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl


def netted(sales: pl.DataFrame, returns: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was kept of the sales, and what was given back, with `returned_on`.

    `sales` has a row per line: customer_id, product_id, order_id, sold_on, quantity, amount and others; `returns` has
    customer_id, product_id, order_id, returned_on and the pieces (quantity, above 0). Pieces go back to a line of their
    own order and product; what is left, to the customer's latest lines of the product on or before that day; and what
    was bought before the first sale that is known, to none. Returns are taken in order of time, so what is known of
    them at an earlier day is what this gives with the returns until then.
    """
    lines = sales.sort("sold_on", "order_id", maintain_order=True).with_row_index("line")
    taken = _taken(lines, returns.sort("returned_on", "order_id", maintain_order=True))
    back = pl.DataFrame(
        taken, schema={"line": pl.get_index_type(), "pieces": pl.Float64, "returned_on": pl.Date}, orient="row"
    )
    parts = lines.join(back, on="line", how="inner").with_columns(
        returned_on=pl.max_horizontal("returned_on", "sold_on"),
        amount=pl.col("amount") * pl.col("pieces") / pl.col("quantity"),
        quantity=pl.col("pieces"),
    )
    sums = parts.group_by("line").agg(pl.col("pieces").sum(), pl.col("amount").sum().alias("less"))
    kept = lines.join(sums, on="line", how="left").with_columns(
        quantity=pl.col("quantity") - pl.col("pieces").fill_null(0),
        amount=pl.col("amount") - pl.col("less").fill_null(0),
    )
    kept = kept.filter(pl.col("pieces").is_null() | (pl.col("quantity") > 0))
    return kept.sort("line").select(sales.columns), parts.select(*sales.columns, "returned_on")


def _taken(lines: pl.DataFrame, returns: pl.DataFrame) -> list[tuple[int, float, date]]:
    """Which line gives back how many pieces, and when."""
    pair = ["customer_id", "product_id"]
    concerned = pl.concat(
        [lines.join(returns, on=keys, how="semi") for keys in (pair, ["order_id", "product_id"])]
    ).unique("line", maintain_order=True)
    left: dict[int, float] = {}
    by_order: dict[tuple[Any, Any], list[tuple[int, date]]] = defaultdict(list)
    by_pair: dict[tuple[Any, Any], list[tuple[int, date]]] = defaultdict(list)
    for row in concerned.sort("line").iter_rows(named=True):
        left[row["line"]] = row["quantity"]
        place = row["line"], row["sold_on"]
        by_order[row["order_id"], row["product_id"]].append(place)
        by_pair[row["customer_id"], row["product_id"]].append(place)
    found: list[tuple[int, float, date]] = []
    for row in returns.iter_rows(named=True):
        pieces, on = float(row["quantity"]), row["returned_on"]
        own = (line for line, _ in by_order[row["order_id"], row["product_id"]])
        before = (line for line, sold in reversed(by_pair[row["customer_id"], row["product_id"]]) if sold <= on)
        for line, part in _from(left, (*own, *before), pieces):
            found.append((line, part, on))
    return found


def _from(left: dict[int, float], lines: Iterable[int], pieces: float) -> Iterable[tuple[int, float]]:
    """Take pieces from the lines in this order, as many as each still has."""
    for line in lines:
        part = min(left[line], pieces)
        if part > 0:
            left[line] -= part
            pieces -= part
            yield line, part
