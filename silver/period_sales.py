"""What was sold in a week or a month, of sources that deliver no order lines."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.stallion_beverages.volumes import TABLE as STALLION
from bronze.walmart_weekly.sales import TABLE as WALMART_SALES
from lakehouse.declare.conform import typed
from lakehouse.declare.rules import Expectation, between, not_null, one_of
from lakehouse.declare.table import Field, Read, Step, Table
from silver.shared import SHOP_ID

FREQUENCIES = ("W", "M")

TABLE = Table(
    name="silver.period_sales",
    meaning="What a place sold of a product in a period.",
    grain=("shop_id", "series_id", "period_on"),
    fields=(
        SHOP_ID,
        Field("series_id", "string", "place and product, with a slash between", rules=(not_null(),)),
        Field("location", "string", "place that sold: store or agency", rules=(not_null(),)),
        Field("product_id", "string", "product, or department", rules=(not_null(),)),
        Field("period_on", "date", "day by which the source names the period", rules=(not_null(),)),
        Field("frequency", "string", "W: weeks, M: months", rules=(not_null(), one_of(FREQUENCIES))),
        Field("quantity", "double", "what was sold, in the row's unit", "unit of the row", rules=(between(0),)),
        Field("amount", "decimal(18,2)", "sales; negative where more came back than was sold", "currency of the row"),
        Field("unit", "string", "unit of the quantity; null where only the amount is known"),
        Field("currency", "string", "ISO 4217 code of the amount; null where only the quantity is known"),
    ),
    row_law="One row per place, product and period.",
    amount="amount",
    expectations=(
        Expectation(
            "expect_column_unique_value_count_to_be_between",
            {"column": "period_on", "min_value": 1},
            "a batch names at least one period",
        ),
    ),
)


def from_walmart(walmart_sales: DataFrame) -> DataFrame:
    """Sales of a department in the week that ends on a Friday."""
    return typed(
        walmart_sales,
        TABLE,
        shop_id=F.lit("walmart_weekly"),
        series_id=_series("store", "dept"),
        location="store",
        product_id="dept",
        period_on="date",
        frequency=F.lit("W"),
        quantity=F.lit(None).cast("string"),
        amount="weekly_sales",
        unit=F.lit(None).cast("string"),
        currency=F.lit("USD"),
    )


def from_stallion(stallion: DataFrame) -> DataFrame:
    """Volume of a product at an agency in the month that begins on a day."""
    return typed(
        stallion,
        TABLE,
        shop_id=F.lit("stallion_beverages"),
        series_id=_series("agency", "sku"),
        location="agency",
        product_id="sku",
        period_on="date",
        frequency=F.lit("M"),
        quantity="volume",
        amount=F.lit(None).cast("string"),
        unit=F.lit("hectolitre"),
        currency=F.lit(None).cast("string"),
    )


def _series(location: str, product: str) -> Column:
    return F.concat(F.trim(location), F.lit("/"), F.trim(product))


STEPS = (
    Step(
        TABLE,
        from_walmart,
        (Read(WALMART_SALES),),
        amount="coalesce(try_cast(trim(weekly_sales) AS DECIMAL(18,2)), 0)",
        source="walmart_weekly",
    ),
    Step(TABLE, from_stallion, (Read(STALLION),), source="stallion_beverages"),
)
