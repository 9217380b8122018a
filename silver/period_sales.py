"""What was sold in a week or a month, of sources that deliver no order lines."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare.conform import text
from lakehouse.declare.rules import between, not_null, one_of
from lakehouse.declare.table import MONEY, Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

FREQUENCIES = ("W", "M")

TABLE = Table(
    name="silver.period_sales",
    meaning="What a place sold of a product in a period.",
    grain=("shop_id", "series_id", "period_on"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("series_id", "string", "place and product, with a slash between", rules=(not_null(),)),
        Field("location", "string", "place that sold: store or agency", rules=(not_null(),)),
        Field("product_id", "string", "product, or department", rules=(not_null(),)),
        Field(
            "period_on", "date", "day by which the source names the period", rules=(not_null(), not_after_delivery())
        ),
        Field("frequency", "string", "W: weeks, M: months", rules=(not_null(), one_of(FREQUENCIES))),
        Field("quantity", "double", "what was sold, in the row's unit", "unit of the row", rules=(between(0),)),
        Field("amount", MONEY, "sales; negative where more came back than was sold", "currency of the row"),
        Field("unit", "string", "unit of the quantity; null where only the amount is known"),
        Field("currency", "string", "ISO 4217 code of the amount; null where only the quantity is known"),
    ),
    row_law="One row per place, product and period.",
    amount="amount",
    day="period_on",
    currency="currency",
)


def series_id(location: str, product: str) -> Column:
    """Name of a series: place and product, with a slash between."""
    return F.concat(text(F.col(location)), F.lit("/"), text(F.col(product)))
