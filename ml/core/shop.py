"""What all families ask of a shop: which day it is, in which currency it sells, and what it may sell now."""

from __future__ import annotations

import logging
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.measures import last_days, main_currencies

logger = logging.getLogger("shoplake")

DELISTED = "delisted: the shop no longer sells it"
NOT_THERE = "none on hand by the last counts, and none on order"
NEVER_COUNTED = "the shop counts its stock, and never counted this product"


def up_to_today(rows: DataFrame, day: str, lines: str = "1") -> tuple[DataFrame, date | None]:
    """A shop's rows up to its last day of sales, and that day; None where there are no rows.

    It is never one odd row: by the rule of gold (`gold.measures.last_days`) a few rows long after all others are left
    out, so that one date mistyped by a year does not make everything a year old. A warning says how many they are.
    `lines` is SQL for how many order lines a row stands for; rows of none, such as days without a sale, tell nothing.
    """
    found = last_days(rows.where(f"{lines} > 0"), day, lines).first()
    if found is None:
        return rows, None
    today: date = found["as_of_on"]
    late = rows.where((F.col(day) > F.lit(today)) & F.expr(f"{lines} > 0"))
    if count := late.count():
        logger.warning(
            "%d rows after %s are left out: they come long after the shop's last day of sales; look at their dates",
            count,
            today,
        )
    return rows.where(F.col(day) <= F.lit(today)), today


def main_currency(rows: DataFrame, lines: str = "1") -> str | None:
    """The currency of a shop's rows that has the most lines; None where there are no rows."""
    sold = rows.groupBy("currency").agg(F.sum(F.expr(lines)).alias("lines"))
    most = sold.orderBy(F.desc("lines"), F.desc("currency")).first()
    return None if most is None else most["currency"]


def in_main_currency(order_lines: DataFrame) -> DataFrame:
    """The order lines with the money of each shop's main currency alone: what is of another one is worth 0 here.

    Amounts of two currencies are never added. The lines themselves stay, since who buys in another currency buys too.
    """
    amount = F.when(F.col("currency") == F.col("main_currency"), F.col("amount")).otherwise(F.lit(0))
    kept = order_lines.join(F.broadcast(main_currencies(order_lines)), "shop_id")
    return kept.withColumns({"amount": amount, "currency": F.col("main_currency")}).drop("main_currency")


def listings(products: DataFrame) -> DataFrame:
    """What the newest version of each product says: `product_id`, `is_active` (null where a feed does not say), and
    from whom, and for how much, the shop has it: `supplier_id`, `unit_cost`.
    """
    said = ("is_active", "supplier_id", "unit_cost")
    return products.groupBy("product_id").agg(*(F.max_by(name, "__START_AT").alias(name) for name in said))


WHY_NOT_SOLD = f"""CASE
    WHEN NOT is_active THEN '{DELISTED}'
    WHEN counts_stock AND pieces IS NULL THEN '{NEVER_COUNTED}'
    WHEN counts_stock AND pieces <= 0 THEN '{NOT_THERE}'
END"""
"""Why a product may not be sold now, in SQL that Spark and DuckDB read alike, for scoring and serving must agree: over
`is_active`, `pieces` (on hand and on their way; null where never counted) and whether the shop `counts_stock`."""


def why_not_sold(products: DataFrame, stock_levels: DataFrame) -> DataFrame:
    """For each product of a shop why it may not be sold now: `product_id`, `why_not` (null: it may be).

    Its newest version says that it is not on sale (where a feed does not say, it may be); or the shop counts stock, and
    of this product there is none on hand, by the last count of each warehouse, and none on its way.
    """
    last = F.max_by(F.struct("on_hand", "on_order"), "counted_at").alias("last")
    counted = stock_levels.groupBy("product_id", "warehouse").agg(last).groupBy("product_id")
    there = counted.agg(F.sum(F.col("last.on_hand") + F.coalesce("last.on_order", F.lit(0))).alias("pieces"))
    found = listings(products).join(there, "product_id", "full")
    found = found.withColumn("counts_stock", F.lit(not stock_levels.isEmpty()))
    return found.select("product_id", F.expr(WHY_NOT_SOLD).alias("why_not"))
