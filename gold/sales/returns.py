"""What became of what was sold: what was kept, what came back or was cancelled, and why."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.measures import AMOUNT_LAWS, MEASURES, NOT_A_PRODUCT_SALE, ORDER_OF_LINE, aggregated, measured
from gold.vocabulary import CURRENCY, SHOP, as_declared, key, law
from lakehouse.declare.rules import one_of
from lakehouse.declare.table import Read, Step, Table
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver.orders import UNDONE_STATUSES

OUTCOMES = ("kept", *UNDONE_STATUSES, "credited")
NOT_STATED = "not stated"
_SHOWN = ("lines", "units", "cancelled_units", "gross_sales", "cancelled_amount", "net_revenue", "line_amount")
_MEASURES = tuple((field, sql) for field, sql in MEASURES if field.name in _SHOWN)

TABLE = Table(
    name="gold.returns",
    meaning="What became of what a shop sold of a product in a month: kept, cancelled, returned or credited, and why.",
    grain=("shop_id", "product_id", "sold_month", "outcome", "reason", "currency"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        key(
            "sold_month",
            "date",
            "first day of the month of the lines: of the sale, and of a credit note, which has its own",
        ),
        key(
            "outcome",
            "string",
            "kept; cancelled, returned or refunded: the order as a whole; credited: lines of credit notes",
            one_of(OUTCOMES, "fail"),
        ),
        key("reason", "string", f"why the order was cancelled; {NOT_STATED} where nobody said, and for what was kept"),
        CURRENCY,
        *(field for field, _ in _MEASURES),
    ),
    row_law="One row per product, month, outcome, reason and currency with a line of a product; rows of a product and "
    "month add up to gold.sales_by_product.",
    rules=(
        next(rule for rule in AMOUNT_LAWS if rule.name == "net_revenue.law"),
        law("kept.law", "nothing of what is kept came back", "outcome <> 'kept' OR cancelled_amount = 0", "outcome"),
    ),
    amount="line_amount",
    counts="lines",
    has_lineage=False,
)


def build(order_lines: DataFrame, orders: DataFrame) -> DataFrame:
    """Sum the month's lines of each product by what became of them."""
    outcome = (
        F.when(F.col("is_undone"), F.col("order_status"))
        .when(F.col("kind") == "cancellation", F.lit("credited"))
        .otherwise("kept")
    )
    reason = F.coalesce(F.when(F.col("is_undone"), F.col("cancel_reason")), F.lit(NOT_STATED))
    lines = measured(order_lines, orders).withColumns(
        {"sold_month": F.trunc("sold_on", "MM"), "outcome": outcome, "reason": reason}
    )
    return as_declared(lines.groupBy(*TABLE.grain).agg(*aggregated(_MEASURES)), TABLE)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id", "sold_month": "trunc(sold_on, 'MM')"}),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
    ),
    recompute=("shop_id", "sold_month"),
    filters=(NOT_A_PRODUCT_SALE,),
    amount="amount",
)
