"""What the money columns mean: each order line is of exactly one kind, and every measure is a sum over kinds.

A credit note (an order of status `credit`) brings its own negative lines, which count on the day of the note. An order
that is `cancelled` or `returned` keeps its lines in silver and counts for nothing any more: its product lines are taken
off again on their own day. All else that is billed (shipping, fees, vouchers, corrections, bad debts) is a charge,
whatever became of the order. So for any set of lines:

    net_revenue = gross_sales + cancelled_amount
    line_amount = gross_sales + cancelled_amount - status_cancelled_amount + charges_amount
    margin      = costed_revenue less what its pieces cost the shop

A piece costs what the catalogue said on the day of the sale, in the shop's own currency: of lines in another currency,
and of products whose cost is not stated, it is unknown, and `costed_revenue` says how much of the revenue is left.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.vocabulary import at_least_zero, at_most_zero, count, law, money
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import MONEY, Field, Filter
from silver.orders import UNDONE_STATUSES

ORDER_OF_LINE = {"shop_id": "shop_id", "order_id": "order_id"}
"""How lines join their order: a status that changes reaches the days of all lines of the order, not only its own."""

SHOP_OF_LINE = {"shop_id": "shop_id"}
"""How lines join their shop."""

PRODUCT_SALE = "item_type = 'product' AND line_type = 'sale'"
PRODUCT_CANCELLATION = "item_type = 'product' AND line_type IN ('cancellation', 'refund')"

# The first that fits; the order matters only for lines that are odd twice (a bad debt booked on a fee).
KIND = f"""CASE
    WHEN {PRODUCT_SALE} THEN 'sale'
    WHEN {PRODUCT_CANCELLATION} THEN 'cancellation'
    WHEN item_type = 'adjustment' OR line_type IN ('bad_debt', 'stock_adjustment') THEN 'adjustment'
    WHEN item_type IN ('shipping', 'fee', 'discount') THEN item_type
    ELSE 'other'
END"""

NOT_A_PRODUCT = Filter("not_a_product", "(item_type = 'product') IS NOT TRUE")
NOT_A_PRODUCT_SALE = Filter("not_a_product_sale", f"({PRODUCT_SALE} OR {PRODUCT_CANCELLATION}) IS NOT TRUE")
NO_CUSTOMER = Filter("no_customer", "customer_id IS NULL")

_COUNTS = "kind IN ('sale', 'cancellation') AND NOT is_undone"
_CHARGES = "('shipping', 'fee', 'discount', 'adjustment', 'other')"


def _sum(value: str, where: str) -> str:
    return f"coalesce(sum({value}) FILTER (WHERE {where}), 0)"


# Field and the SQL that aggregates it over the lines of `measured`.
MEASURES: tuple[tuple[Field, str], ...] = (
    (count("lines", "order lines behind this row", "lines"), "count(*)"),
    (
        count("orders", "distinct orders with a product sale, before cancellation", "orders"),
        "count(DISTINCT order_id) FILTER (WHERE kind = 'sale')",
    ),
    (
        count("cancelled_orders", "those of them whose status is now cancelled or returned", "orders"),
        "count(DISTINCT order_id) FILTER (WHERE kind = 'sale' AND is_undone)",
    ),
    (
        count("customers", "distinct known customers with a product sale, before cancellation", "customers"),
        "count(DISTINCT customer_id) FILTER (WHERE kind = 'sale')",
    ),
    (
        count("units", "pieces in product sales, before cancellation", "pieces"),
        _sum("quantity", "kind = 'sale'"),
    ),
    (
        count(
            "cancelled_units",
            "pieces credited or in cancelled or returned orders, as 0 or less",
            "pieces",
            at_most_zero(),
        ),
        _sum("quantity", "kind = 'cancellation'") + " - " + _sum("quantity", "is_undone"),
    ),
    (
        money("gross_sales", "product sales after the discount on the line, before cancellation", at_least_zero()),
        _sum("amount", "kind = 'sale'"),
    ),
    (
        money(
            "cancelled_amount",
            "0 or less: product lines of credit notes, and the product sales of cancelled or returned orders taken off",
            at_most_zero(),
        ),
        _sum("amount", "kind = 'cancellation'") + " - " + _sum("amount", "is_undone"),
    ),
    (
        money("net_revenue", "gross_sales + cancelled_amount"),
        _sum("amount", _COUNTS),
    ),
    (
        money(
            "status_cancelled_amount",
            "the part of cancelled_amount without a line: product lines of cancelled or returned orders taken off",
        ),
        "-" + _sum("amount", "is_undone"),
    ),
    (
        money("costed_revenue", "the part of net_revenue that is of lines whose unit cost is known"),
        _sum("amount", f"{_COUNTS} AND cost IS NOT NULL"),
    ),
    (
        Field(
            "margin",
            MONEY,
            "costed_revenue less the unit costs of its pieces on the day of the sale; null where no cost is known",
            "currency of the row",
        ),
        f"sum(amount - cost) FILTER (WHERE {_COUNTS} AND cost IS NOT NULL)",
    ),
    (
        money("charges_amount", "lines that are neither product sale nor product cancellation, with their sign"),
        _sum("amount", f"kind IN {_CHARGES}"),
    ),
    (
        money("line_amount", "sum of all lines as booked; links this row to silver.order_lines"),
        "coalesce(sum(amount), 0)",
    ),
)

CHARGES: tuple[tuple[Field, str], ...] = (
    (money("shipping_amount", "charges: postage and carriage"), _sum("amount", "kind = 'shipping'")),
    (money("fee_amount", "charges: fees of banks and market places"), _sum("amount", "kind = 'fee'")),
    (money("discount_amount", "charges: discounts booked as lines of their own"), _sum("amount", "kind = 'discount'")),
    (
        money("adjustment_amount", "charges: corrections, bad debts, stock adjustments"),
        _sum("amount", "kind = 'adjustment'"),
    ),
    (money("other_amount", "charges: vouchers, samples, donations, free goods"), _sum("amount", "kind = 'other'")),
)

CANCELLED_ORDERS_LAW = law(
    "cancelled_orders.law",
    "cancelled_orders must not be more than orders",
    "cancelled_orders <= orders",
    "cancelled_orders",
    "orders",
)

AMOUNT_LAWS: tuple[Rule, ...] = (
    law(
        "net_revenue.law",
        "net_revenue must be gross_sales + cancelled_amount",
        "net_revenue = gross_sales + cancelled_amount",
        "net_revenue",
        "gross_sales",
        "cancelled_amount",
    ),
    law(
        "line_amount.law",
        "line_amount must be gross_sales + cancelled_amount - status_cancelled_amount + charges_amount",
        "line_amount = gross_sales + cancelled_amount - status_cancelled_amount + charges_amount",
        "line_amount",
        "gross_sales",
        "cancelled_amount",
        "status_cancelled_amount",
        "charges_amount",
    ),
    law(
        "margin.law",
        "where no cost is known, there must be no costed_revenue",
        "margin IS NOT NULL OR costed_revenue = 0",
        "margin",
        "costed_revenue",
    ),
)

LAWS: tuple[Rule, ...] = (*AMOUNT_LAWS, CANCELLED_ORDERS_LAW)

CHARGES_LAW = law(
    "charges_amount.law",
    "charges_amount must be the sum of its parts",
    "charges_amount = shipping_amount + fee_amount + discount_amount + adjustment_amount + other_amount",
    "charges_amount",
    *(field.name for field, _ in CHARGES),
)


def measured(order_lines: DataFrame, orders: DataFrame) -> DataFrame:
    """The lines with `kind`, and whether each `is_undone` (product line of a cancelled or returned order) or `is_kept`.

    A line is kept that is the sale of a product and still counts. `order_status`, `channel` and `cancel_reason` are
    those of its order.
    """
    status = F.col("status").alias("order_status")
    heads = orders.select("shop_id", "order_id", status, "channel", "cancel_reason")
    lines = order_lines.join(heads, ["shop_id", "order_id"], "left").withColumn("kind", F.expr(KIND))
    is_product = F.col("kind").isin("sale", "cancellation")
    is_undone = is_product & F.coalesce(F.col("order_status").isin(*UNDONE_STATUSES), F.lit(False))
    return lines.withColumns({"is_undone": is_undone, "is_kept": (F.col("kind") == "sale") & ~is_undone})


def costed(lines: DataFrame, shops: DataFrame) -> DataFrame:
    """The lines with what their pieces `cost`, in the currency of the line; null where that is not known."""
    own = shops.select("shop_id", F.col("currency").alias("shop_currency"))
    cost = F.when(F.col("currency") == F.col("shop_currency"), F.col("quantity") * F.col("unit_cost"))
    return lines.join(F.broadcast(own), "shop_id", "left").withColumn("cost", cost).drop("shop_currency")


def aggregated(measures: tuple[tuple[Field, str], ...]) -> list[Column]:
    """The measures as aggregates over the lines of `measured`."""
    return [F.expr(sql).alias(field.name) for field, sql in measures]


def main_currencies(rows: DataFrame, lines: str = "1") -> DataFrame:
    """The currency in which each shop has the most lines (`shop_id`, `main_currency`); `lines` as in `last_days`."""
    sold = rows.groupBy("shop_id", "currency").agg(F.sum(F.expr(lines)).alias("lines"))
    return sold.groupBy("shop_id").agg(F.max_by("currency", F.struct("lines", "currency")).alias("main_currency"))


def last_days(rows: DataFrame, day: str, lines: str = "1") -> DataFrame:
    """Each shop's last day of sales (`shop_id`, `as_of_on`): what ages and series end with.

    It is never one odd row: a tail after the longest gap so far, of more than five weeks, that holds at most one line
    or one in a hundred is left out. `lines` is SQL for how many lines a row stands for.
    """
    days = rows.groupBy("shop_id", F.col(day).alias("day")).agg(F.sum(F.expr(lines)).alias("lines"))
    in_order = Window.partitionBy("shop_id").orderBy("day")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    days = days.withColumn("gap", F.date_diff("day", F.lag("day").over(in_order)))
    days = days.withColumns(
        {
            "last": F.lag("day").over(in_order),
            "longest": F.coalesce(F.max("gap").over(before), F.lit(0)),
            "passed": F.sum("lines").over(before),
            "total": F.sum("lines").over(Window.partitionBy("shop_id")),
        }
    )
    is_tail = (F.col("gap") > 35) & (F.col("gap") > F.col("longest")) & (F.col("total") >= 20)
    is_odd = is_tail & (F.col("total") - F.col("passed") <= F.greatest(F.lit(1), F.col("total") / 100))
    return days.groupBy("shop_id").agg(F.coalesce(F.min(F.when(is_odd, F.col("last"))), F.max("day")).alias("as_of_on"))
