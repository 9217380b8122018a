"""Products with their history: what was sold under which name, category and price, and when."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bronze.online_retail import TABLE as ONLINE_RETAIL
from bronze.shop_products import TABLE as SHOP_PRODUCTS
from lakehouse.conform import typed
from lakehouse.rules import Expectation, between, not_null
from lakehouse.table import Field, Filter, Read, Step, Table
from silver import codes
from silver.shared import SHOP_ID, completed, origin

TABLE = Table(
    name="silver.products",
    meaning="A version of a product as its shop listed it; also the codes that are no goods, such as postage and fees.",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP_ID,
        Field("product_id", "string", "product, by the shop's code in capitals", rules=(not_null(),)),
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
    """One event per stock code, at its first line: the feed has no catalogue, only what tills printed on invoices.

    The name is the text that most sale lines carry. On lines without a price staff left notes ("damaged", "?") where
    the name should be, so a code that was never sold takes only a text in capitals, as names are written.
    """
    product_id = codes.product_code(F.col("stock_code"))
    text = F.nullif(codes.line_text(F.col("description")), F.lit(""))
    lines = online_retail.withColumns(
        {
            "shop_id": F.lit(codes.SHOP),
            "product_id": product_id,
            "category": F.nullif(codes.item_type(product_id), F.lit("product")),
            "line_at": F.trim("invoice_date").try_cast("timestamp"),
            "is_sale": F.expr(codes.IS_SALE),
        }
    )
    is_name = F.col("is_sale") | F.col("category").isNotNull() | ((text == F.upper(text)) & text.rlike("[A-Z]{3}"))
    by_name = (
        lines.withColumn("name", F.when(is_name, text))
        .groupBy("shop_id", "product_id", "category", "name")
        .agg(
            F.count_if("is_sale").alias("sales"),
            F.count_if(F.col("name").isNotNull()).alias("lines"),
            F.min(F.when(F.col("is_sale"), F.col("line_at"))).alias("first_sale"),
            F.min("line_at").alias("first_line"),
            *origin(lines),
        )
    )
    events = by_name.groupBy("shop_id", "product_id", "category").agg(
        F.max_by("name", F.struct(F.col("name").isNotNull(), "sales", "lines", "name")).alias("name"),
        F.to_date(F.coalesce(F.min("first_sale"), F.min("first_line"))).alias("listed_on"),
        codes.utc(F.min("first_line")).alias("updated_at"),
        *origin(by_name),
    )
    return completed(events.withColumn("name", F.coalesce("name", "product_id")), TABLE)


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
        (Read(ONLINE_RETAIL, groups={"shop_id": "'online_retail'", "product_id": "upper(trim(stock_code))"}),),
        recompute=("shop_id", "product_id"),
        filters=(Filter("test_product", codes.IS_TEST_CODE),),
        source="online_retail",
    ),
)
