"""Small tables written as text: what a build is given, and what it must make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.table import MONEY, Table
from silver import (
    customers,
    demand_drivers,
    exposures,
    marketing_spend,
    order_lines,
    orders,
    page_events,
    period_sales,
    products,
    promotions,
    stock_levels,
)

Given = Callable[..., DataFrame]

# What a sample does not say. SQL over the sample's own columns, so that one follows from another.
_UNSAID: Mapping[str, Mapping[str, str]] = {
    order_lines.TABLE.name: {
        "shop_id": "'s'",
        "product_id": "'P'",
        "customer_id": "'c1'",
        "quantity": "1",
        "sold_at": "timestamp(sold_on) + interval 12 hours",
        "currency": "'GBP'",
        "country": "'United Kingdom'",
        "country_code": "'GB'",
        "item_type": "'product'",
        "line_type": "'sale'",
    },
    orders.TABLE.name: {"shop_id": "'s'", "status": "'placed'"},
    products.TABLE.name: {"shop_id": "'s'", "is_active": "true"},
    stock_levels.TABLE.name: {
        "shop_id": "'s'",
        "product_id": "'P'",
        "warehouse": "'w1'",
        "on_order": "0",
        "lead_time_days": "7",
        "unit_cost": "2.50",
    },
    promotions.TABLE.name: {"shop_id": "'s'", "product_id": "'P'"},
    page_events.TABLE.name: {"shop_id": "'s'"},
    period_sales.TABLE.name: {
        "shop_id": "'s'",
        "series_id": "concat(location, '/', product_id)",
        "frequency": "'W'",
        "currency": "'USD'",
    },
    demand_drivers.TABLE.name: {"shop_id": "'s'", "product_id": "'*'", "is_known_ahead": "true"},
    customers.TABLE.name: {"shop_id": "'s'"},
    exposures.TABLE.name: {"shop_id": "'s'"},
    marketing_spend.TABLE.name: {"shop_id": "'s'", "currency": "'GBP'", "channel": "'search'", "campaign": "'c'"},
}


@pytest.fixture(scope="session")
def given(spark: SparkSession) -> Given:
    """Rows of a table from text: a line of column names, then a line per row; `-` is null. No text, no rows."""

    def make(table: Table, text: str = "") -> DataFrame:
        header, rows = _cells(text)
        if not rows:
            return spark.createDataFrame([], table.schema)
        unsaid = {k: v for k, v in _UNSAID.get(table.name, {}).items() if k not in header}
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
        # Literals, not Python objects: the optimizer turns all of this into a local relation, and tests stay fast.
        said = spark.sql(f"SELECT * FROM VALUES {values} AS given({', '.join(header)})")
        frame = said.withColumns({name: F.expr(sql) for name, sql in unsaid.items()})
        return frame.select(
            [
                (F.col(name) if name in frame.columns else F.lit(None)).cast(kind).alias(name)
                for name, (kind, _) in table.all_columns.items()
            ]
        )

    return make


def _literal(cell: str | None) -> str:
    return "NULL" if cell is None else f"'{cell}'"


@pytest.fixture(scope="session")
def shown() -> Callable[[DataFrame, str], None]:
    """Assert that the columns named in a text hold exactly the rows written there, in any order."""

    def compare(frame: DataFrame, text: str) -> None:
        header, expected = _cells(text)
        rows = frame.select([_written(frame, name) for name in header]).collect()
        actual = [tuple(row) for row in rows]
        assert sorted(map(str, actual)) == sorted(map(str, expected))

    return compare


def _written(frame: DataFrame, name: str) -> Column:
    """A value as text; money without the decimals that only some currencies have."""
    text = F.col(name).cast("string")
    return F.regexp_replace(text, r"(\.\d\d)0$", "$1") if dict(frame.dtypes)[name] == MONEY else text


def _cells(text: str) -> tuple[list[str], list[tuple[str | None, ...]]]:
    lines = [line.split() for line in text.strip().splitlines()]
    header, rows = (lines[0], lines[1:]) if lines else ([], [])
    return header, [tuple(None if cell == "-" else cell for cell in row) for row in rows]
