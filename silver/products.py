"""Products with their history: what was sold under which name, category and price, and when."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.online_retail.lines import TABLE as ONLINE_RETAIL
from bronze.shop.products import TABLE as SHOP_PRODUCTS
from lakehouse.declare.conform import typed
from lakehouse.declare.rules import Expectation, between, not_null
from lakehouse.declare.table import Field, Filter, Read, Step, Table
from silver import codes
from silver.shared import SHOP_ID, completed

TABLE = Table(
    name="silver.products",
    meaning="A version of a product as its shop listed it; also the codes that are no goods, such as postage and fees.",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP_ID,
        Field("product_id", "string", "product, by the shop's code", rules=(not_null(),)),
        Field("updated_at", "timestamp", "when the shop changed the product (UTC)", rules=(not_null(),)),
        Field("name", "string", "name as listed; the code where no line names the product", rules=(not_null(),)),
        Field("description", "string", "text of the listing"),
        Field("category", "string", "category; for a code that is no product, its kind (shipping, fee, ...)"),
        Field("subcategory", "string", "category below the category"),
        Field("brand", "string", "brand"),
        Field("color", "string", "color"),
        Field("material", "string", "material"),
        Field("list_price", "decimal(18,2)", "price as listed", "shop's currency", rules=(between(0),)),
        Field("unit_cost", "decimal(18,2)", "cost of a piece to the shop", "shop's currency", rules=(between(0),)),
        Field("supplier_id", "string", "supplier"),
        Field(
            "listed_on", "date", "day of listing; where the feed does not say, of the first sale, or else first line"
        ),
        Field("is_active", "boolean", "whether the product is on sale; null where the feed does not say"),
    ),
    row_law="A delivered change is an event; successive events that say the same fold into one version.",
    write="scd2",
    sequence_by=("updated_at", "_ingested_at", "_source_file", "_source_row"),
    expectations=(
        Expectation(
            "expect_column_unique_value_count_to_be_between",
            {"column": "product_id", "min_value": 1},
            "a batch names at least one product",
        ),
    ),
)


def from_shop(shop_products: DataFrame) -> DataFrame:
    """A delivered state of a product is an event."""
    names = [f.name for f in TABLE.fields if f.name != "shop_id"]
    return typed(shop_products, TABLE, shop_id=F.lit("shop"), **{name: name for name in names})


def from_online_retail(online_retail: DataFrame) -> DataFrame:
    """The feed has no catalogue: each line is an event that says under which name its stock code was sold on the whole.

    The name is the text that most sale lines carry. On lines without a price staff left notes ("damaged", "?") where
    the name should be, so a code that was never sold takes only a text in capitals, as names are written.
    """
    product_id = codes.product_code(F.col("stock_code"))
    at = F.trim("invoice_date").try_cast("timestamp")
    lines = online_retail.withColumns(
        {
            "shop_id": F.lit(codes.SHOP),
            "product_id": product_id,
            "category": F.nullif(codes.item_type(product_id), F.lit("product")),
            "updated_at": codes.utc(at),
        }
    )
    listings = _listings(lines.withColumns({"line_on": at.cast("date"), "is_sale": F.expr(codes.IS_SALE)}))
    return completed(lines.drop("description").join(listings, "product_id", "left"), TABLE)


def _listings(lines: DataFrame) -> DataFrame:
    """One row per stock code: its name, and the day from which it was sold."""
    text = F.nullif(codes.line_text(F.col("description")), F.lit(""))
    is_name = F.col("is_sale") | F.col("category").isNotNull() | ((text == F.upper(text)) & text.rlike("[A-Z]{3}"))
    texts = (
        lines.withColumn("text", F.when(is_name, text))
        .groupBy("product_id", "text")
        .agg(
            F.count_if("is_sale").alias("sales"),
            F.count(F.lit(1)).alias("lines"),
            F.min(F.when(F.col("is_sale"), F.col("line_on"))).alias("first_sale"),
            F.min("line_on").alias("first_line"),
        )
    )
    most_used = F.max_by("text", F.when(F.col("text").isNotNull(), F.struct("sales", "lines", "text")))
    return texts.groupBy("product_id").agg(
        F.coalesce(most_used, "product_id").alias("name"),
        F.coalesce(F.min("first_sale"), F.min("first_line")).alias("listed_on"),
    )


STEPS = (
    Step(
        TABLE,
        from_shop,
        (Read(SHOP_PRODUCTS, groups={"shop_id": "'shop'", "product_id": "nullif(trim(product_id), '')"}),),
        recompute=("shop_id", "product_id"),
        source="shop",
    ),
    Step(
        TABLE,
        from_online_retail,
        (
            Read(
                ONLINE_RETAIL,
                groups={"shop_id": "'online_retail'", "product_id": "nullif(upper(trim(stock_code)), '')"},
            ),
        ),
        recompute=("shop_id", "product_id"),
        filters=(Filter("test_product", codes.IS_TEST_CODE),),
        source="online_retail",
    ),
)
