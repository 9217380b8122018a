"""The customers without anything that says who they are: where from, won how, and what they bought so far."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.sales import sales_by_order
from gold.vocabulary import SHOP, as_declared, count, key, law
from lakehouse.declare.rules import not_before, not_null
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import customers as silver_customers

_ACCOUNT = ("country", "country_code", "registered_at", "acquisition_channel", "marketing_consent")
_MEASURES = ("orders", "cancelled_orders", "units")

TABLE = Table(
    name="gold.customers",
    meaning="A customer without personal data: country, how won, consent, and orders and revenue so far.",
    grain=("shop_id", "customer_id"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        Field("country", "string", "country of the account, or where there is none of the last order"),
        Field("country_code", "string", "ISO 3166-1 alpha-2 code of the country; ZZ where it is unknown"),
        Field("registered_on", "date", "day (UTC) on which the account was opened; null where the feed does not say"),
        Field("acquisition_channel", "string", "channel that brought the customer"),
        Field("marketing_consent", "boolean", "whether the customer agrees to marketing; null where never asked"),
        Field("first_order_on", "date", "first order that still counts: not cancelled or returned as a whole"),
        Field("last_order_on", "date", "last such order", rules=(not_before("first_order_on", "fail"),)),
        count("orders", "distinct orders of products that still count", "orders"),
        count("cancelled_orders", "distinct orders of products that were cancelled or came back as a whole", "orders"),
        Field(
            "units",
            "bigint",
            "pieces in orders that still count, less those credited, of which the sale may be older than the records",
            "pieces",
            (not_null("fail"),),
        ),
        Field("currency", "string", "currency of the amounts (ISO 4217): that of most of the customer's orders"),
        Field(
            "net_revenue",
            MONEY,
            "product sales less credit notes, without cancelled or returned orders; of other currencies left out; null "
            "for who never ordered",
            "currency of the row",
        ),
        Field("margin", MONEY, "the margin in it; null where no cost is known", "currency of the row"),
        count("versions", "versions of the account behind this row", "versions"),
    ),
    row_law="One row per customer with an account or an order.",
    rules=(
        law(
            "currency.law",
            "an amount must have its currency",
            "(currency IS NULL) = (net_revenue IS NULL)",
            "currency",
            "net_revenue",
        ),
        law(
            "orders.law",
            "a customer has a first order exactly with an order that counts",
            "(orders > 0) = (first_order_on IS NOT NULL)",
            "orders",
            "first_order_on",
        ),
    ),
    counts="versions",
    has_lineage=False,
)


def build(customers: DataFrame, sales_by_order: DataFrame) -> DataFrame:
    """Put what a customer bought beside the newest version of the account."""
    newest = F.max_by(F.struct(*_ACCOUNT), "__START_AT").alias("account")
    accounts = customers.groupBy("shop_id", "customer_id").agg(newest, F.count("*").alias("versions"))
    rows = accounts.join(_bought(sales_by_order), ["shop_id", "customer_id"], "full").withColumns(
        {
            "country": F.coalesce("account.country", "last.country"),
            "country_code": F.coalesce("account.country_code", "last.country_code"),
            "registered_on": F.to_date("account.registered_at"),
            "acquisition_channel": F.col("account.acquisition_channel"),
            "marketing_consent": F.col("account.marketing_consent"),
        }
    )
    return as_declared(rows.fillna(0, ["versions", *_MEASURES]), TABLE)


def _bought(orders: DataFrame) -> DataFrame:
    """What each customer bought, with money of one currency alone: amounts of two are never added."""
    kept_on = F.when(F.col("is_kept"), F.col("sold_on"))
    by_currency = orders.groupBy("shop_id", "customer_id", "currency").agg(
        F.min(kept_on).alias("first_order_on"),
        F.max(kept_on).alias("last_order_on"),
        F.count_distinct(F.when(F.col("is_kept"), F.col("order_id"))).alias("orders"),
        F.count_distinct(F.when(F.col("has_sale") & ~F.col("is_kept"), F.col("order_id"))).alias("cancelled_orders"),
        F.sum(F.col("units") + F.col("cancelled_units")).alias("units"),
        F.sum("net_revenue").alias("net_revenue"),
        F.sum("margin").alias("margin"),
        F.max(F.struct("sold_at", "order_id", "country", "country_code")).alias("last"),
    )
    main = F.max_by(F.struct("currency", "net_revenue", "margin"), F.struct("orders", "currency")).alias("main")
    return (
        by_currency.groupBy("shop_id", "customer_id")
        .agg(
            main,
            F.min("first_order_on").alias("first_order_on"),
            F.max("last_order_on").alias("last_order_on"),
            *(F.sum(name).alias(name) for name in _MEASURES),
            F.max("last").alias("last"),
        )
        .select("*", "main.*")
    )


STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(silver_customers.TABLE, groups={"shop_id": "shop_id", "customer_id": "customer_id"}),
        Read(
            sales_by_order.TABLE,
            where="customer_id IS NOT NULL",
            groups={"shop_id": "shop_id", "customer_id": "customer_id"},
        ),
    ),
    recompute=("shop_id", "customer_id"),
)
