"""The shops that sell, each with its own currency: that of its price lists, costs and stock."""

from __future__ import annotations

from pyspark.sql import DataFrame

from gold.measures import main_currencies
from gold.vocabulary import SHOP, as_declared, key
from lakehouse.declare.table import Read, Step, Table
from silver import order_lines as silver_order_lines

TABLE = Table(
    name="gold.shops",
    meaning="A shop that sells, and the currency that is its own.",
    grain=("shop_id",),
    fields=(
        SHOP,
        key("currency", "string", "currency (ISO 4217) with the most order lines: that of list prices and unit costs"),
    ),
    row_law="One row per shop with an order line; their number is not in it, because what joins a shop is built again "
    "when its row changes.",
    has_lineage=False,
)


def build(order_lines: DataFrame) -> DataFrame:
    """Find each shop's main currency."""
    return as_declared(main_currencies(order_lines).withColumnRenamed("main_currency", "currency"), TABLE)


STEP = Step(
    table=TABLE,
    build=build,
    reads=(Read(silver_order_lines.TABLE, groups={"shop_id": "shop_id"}),),
    recompute=("shop_id",),
)
