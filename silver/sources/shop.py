"""How the feeds of the shop become silver: each is one table of ours by almost the same names; its days are UTC's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.shop.customers import TABLE as SHOP_CUSTOMERS
from bronze.shop.exposures import TABLE as SHOP_EXPOSURES
from bronze.shop.marketing_spend import TABLE as SHOP_MARKETING_SPEND
from bronze.shop.order_lines import TABLE as SHOP_ORDER_LINES
from bronze.shop.orders import TABLE as SHOP_ORDERS
from bronze.shop.page_events import TABLE as SHOP_PAGE_EVENTS
from bronze.shop.payments import TABLE as SHOP_PAYMENTS
from bronze.shop.products import TABLE as SHOP_PRODUCTS
from bronze.shop.promotions import TABLE as SHOP_PROMOTIONS
from bronze.shop.reviews import TABLE as SHOP_REVIEWS
from bronze.shop.stock_levels import TABLE as SHOP_STOCK_LEVELS
from lakehouse.declare.conform import (
    RESTATED,
    carried,
    full_sql,
    in_order,
    local_day,
    said_anew,
    text,
    text_sql,
    typed,
)
from lakehouse.declare.table import DELIVERY_ORDER, MONEY, Read, Step, Table
from silver import countries, reconciliation
from silver.customers import TABLE as CUSTOMERS
from silver.exposures import TABLE as EXPOSURES
from silver.marketing_spend import TABLE as MARKETING_SPEND
from silver.order_lines import TABLE as ORDER_LINES
from silver.order_lines import amount, amount_read
from silver.orders import TABLE as ORDERS
from silver.page_events import TABLE as PAGE_EVENTS
from silver.payments import TABLE as PAYMENTS
from silver.products import TABLE as PRODUCTS
from silver.promotions import TABLE as PROMOTIONS
from silver.reviews import TABLE as REVIEWS
from silver.shared import currency_code, decimals_of, known_customer
from silver.stock_levels import TABLE as STOCK_LEVELS

SHOP = "shop"
TIMEZONE = "UTC"
"""The shop's clock: times without an offset are read by it, and its business days begin at its midnight."""

_ITEM_TYPES = {
    "shipping": ("shipping", "delivery", "postage", "freight"),
    "voucher": ("gift card", "gift cards", "gift_card", "gift_cards", "voucher", "vouchers"),
    "fee": ("fee", "fees", "surcharge", "tip", "tips"),
    "donation": ("donation", "donations"),
}
"""Categories of the catalogue that are no goods."""


def _typed(delivered: DataFrame, table: Table, **columns: str | Column) -> DataFrame:
    """The fields of a table: those of the feed by the same names, but for what is given."""
    named = {f.name: f.name for f in table.fields if f.name in delivered.columns}
    countried = {"country": countries.name(F.col("country")), "country_code": countries.code(F.col("country"))}
    own = {name: value for name, value in countried.items() if name in {f.name for f in table.fields}}
    if "customer_id" in named and table is not CUSTOMERS:
        own["customer_id"] = known_customer(F.col("customer_id"))
    if "currency" in named:
        own["currency"] = currency_code(F.col("currency"))
    money = [f.name for f in table.fields if f.type == MONEY or f.name == "unit_price"]
    decimals = decimals_of(own["currency"]) if "currency" in own else F.lit(2)
    given: dict[str, Any] = {"shop_id": F.lit(SHOP)} | named | own | columns
    return typed(delivered, table, timezone=TIMEZONE, decimals=dict.fromkeys(money, decimals), **given)


def products(shop_products: DataFrame) -> DataFrame:
    """A delivered state of a product is an event."""
    return _typed(shop_products, PRODUCTS)


def order_lines(shop_order_lines: DataFrame, products: DataFrame, shop_orders: DataFrame) -> DataFrame:
    """The shop's lines are numbered. A negative quantity is goods that come back, and takes its discount with it."""
    found = F.coalesce(text(F.col("discount")), F.lit("0"))
    undone = text(F.col("quantity")).startswith("-") & ~found.rlike(r"^[-+]?[0.]*$")
    signed = F.when(undone, F.concat(F.lit("-"), F.regexp_replace(found, "^[-+]", ""))).otherwise(found)
    number = text(F.col("line_no"))
    whole = F.when(number.rlike(r"^\d+(\.0*)?$"), number.try_cast("decimal(38,0)").cast("string"))
    lines = _typed(
        shop_order_lines,
        ORDER_LINES,
        line_id=F.coalesce(whole, number),
        sold_at="ordered_at",
        discount=signed,
    )
    is_refund = (F.col("quantity") == 0) & (F.col("unit_price") < 0)
    lines = _of_products(lines, products).withColumns(
        {
            "sold_on": local_day(F.col("sold_at"), TIMEZONE),
            "description": F.lit(None).cast("string"),
            "amount": amount(),
            "line_type": F.when(is_refund, "refund")
            .when(F.col("quantity") < 0, "cancellation")
            .when(F.col("unit_price") == 0, "free")
            .otherwise("sale"),
        }
    )
    needed = ["order_id", "line_id", *DELIVERY_ORDER[:2], "quantity", "unit_price", "line_type"]
    return carried(lines, needed, lambda known: _restated(known, shop_orders))


def _of_products(lines: DataFrame, products: DataFrame) -> DataFrame:
    """What a line is of: goods, unless its product's category says that it is postage, a gift card or the like; and
    what a piece cost when it was sold.
    """
    kind = F.lit(None).cast("string")
    for name, categories in _ITEM_TYPES.items():
        kind = F.coalesce(kind, F.when(F.lower(F.trim("category")).isin(list(categories)), name))
    key = ["shop_id", "product_id"]
    kinds = products.where("__END_AT IS NULL").select(*key, kind.alias("_kind"))
    costs = products.where("unit_cost IS NOT NULL").select(*key, "__START_AT", "__END_AT", "unit_cost")
    at_sale = "line.sold_at >= __START_AT AND (__END_AT IS NULL OR line.sold_at < __END_AT)"
    of_product = " AND ".join(f"line.{name} = version.{name}" for name in key)
    costed = lines.alias("line").join(costs.alias("version"), F.expr(f"{of_product} AND {at_sale}"), "left")
    return (
        costed.select("line.*", "unit_cost")
        .join(kinds, key, "left")
        .withColumn("item_type", F.coalesce("_kind", F.lit("product")))
        .drop("_kind")
    )


def _restated(lines: DataFrame, shop_orders: DataFrame) -> DataFrame:
    """Mark the lines that were taken out of an order: a later delivery says the order anew, and without them.

    A file may bring a late line or a return alone, so the order's own total decides: where it is not what all lines
    come to, but what the lines of the newest delivery that repeats a line come to with those that came after it.
    """
    order = Window.partitionBy("order_id")
    of_line = Window.partitionBy("order_id", "line_id")
    lines = said_anew(lines, of_line, order)
    lines = lines.withColumn("_is_old", F.max("_delivery").over(of_line) < F.col("_anew"))
    worth = F.coalesce(F.col("quantity") * F.col("unit_price"), F.lit(0))
    newest = F.max("_delivery").over(of_line) == F.col("_delivery")
    sold = F.when(newest & (F.col("line_type") == "sale"), worth)
    lines = lines.withColumns(
        {
            "_all": F.coalesce(F.sum(sold).over(order), F.lit(0)),
            "_anew_all": F.coalesce(F.sum(F.when(~F.col("_is_old"), sold)).over(order), F.lit(0)),
        }
    )
    total = text(F.col("items_total")).try_cast("decimal(20,4)")
    stated = shop_orders.select(
        text(F.col("order_id")).alias("order_id"),
        F.struct(text(F.col("updated_at")).try_cast("timestamp"), *in_order(DELIVERY_ORDER)).alias("_at"),
        total.alias("_total"),
    )
    totals = stated.where("_total IS NOT NULL").groupBy("order_id").agg(F.max_by("_total", "_at").alias("_total"))
    lines = lines.join(totals, "order_id", "left")
    is_out = F.col("_is_old") & (F.col("_total") != F.col("_all")) & (F.col("_total") == F.col("_anew_all"))
    helpers = ("_delivery", "_anew", "_is_old", "_all", "_anew_all", "_total")
    return lines.withColumn(RESTATED, F.coalesce(is_out, F.lit(False))).drop(*helpers)


def orders(shop_orders: DataFrame) -> DataFrame:
    """A delivered state of an order."""
    orders = _typed(
        shop_orders,
        ORDERS,
        items_amount="items_total",
        discount_amount="discount_total",
        order_amount="order_total",
        status=F.lower(text(F.col("status"))),
    )
    return orders.withColumn("ordered_on", local_day(F.col("ordered_at"), TIMEZONE))


def payments(shop_payments: DataFrame) -> DataFrame:
    """A payment as delivered."""
    lowered = {name: F.lower(text(F.col(name))) for name in ("method", "status")}
    return _typed(shop_payments, PAYMENTS, **lowered)


def customers(shop_customers: DataFrame) -> DataFrame:
    """A delivered state of an account is an event."""
    return _typed(shop_customers, CUSTOMERS)


def reviews(shop_reviews: DataFrame) -> DataFrame:
    """A review as delivered."""
    return _typed(shop_reviews, REVIEWS)


def page_events(shop_page_events: DataFrame) -> DataFrame:
    """An event as delivered."""
    return _typed(shop_page_events, PAGE_EVENTS)


def stock_levels(shop_stock_levels: DataFrame) -> DataFrame:
    """A count as delivered."""
    return _typed(shop_stock_levels, STOCK_LEVELS)


def promotions(shop_promotions: DataFrame) -> DataFrame:
    """A delivered state of a promotion."""
    return _typed(shop_promotions, PROMOTIONS)


def marketing_spend(shop_marketing_spend: DataFrame) -> DataFrame:
    """A day of a campaign as delivered."""
    return _typed(shop_marketing_spend, MARKETING_SPEND)


def exposures(shop_exposures: DataFrame) -> DataFrame:
    """An exposure as delivered."""
    return _typed(shop_exposures, EXPOSURES)


def _step(
    table: Table,
    build: Callable[..., DataFrame],
    delivered: Table,
    by: Sequence[str],
    also: Sequence[Read] = (),
    amount: str | None = None,
) -> Step:
    """A table of the shop, computed again by the columns `by`, which have the same names in the feed."""
    groups = {"shop_id": f"'{SHOP}'"} | {name: text_sql(name) for name in by}
    return Step(
        table,
        build,
        (Read(delivered, groups=groups), *also),
        recompute=("shop_id", *by),
        amount=amount,
        source=SHOP,
        owns={"shop_id": SHOP},
    )


def _amount(column: str) -> str:
    return f"coalesce({full_sql(column)}, 0)"


STEPS: tuple[Step, ...] = (
    _step(PRODUCTS, products, SHOP_PRODUCTS, ["product_id"]),
    _step(
        ORDER_LINES,
        order_lines,
        SHOP_ORDER_LINES,
        ["order_id"],
        (
            Read(PRODUCTS, where=f"shop_id = '{SHOP}'", joins={text_sql("product_id"): "product_id"}),
            Read(SHOP_ORDERS, joins={text_sql("order_id"): text_sql("order_id")}),
        ),
        amount_read("unit_price", "discount"),
    ),
    _step(ORDERS, orders, SHOP_ORDERS, ["order_id"], amount=_amount("order_total")),
    _step(PAYMENTS, payments, SHOP_PAYMENTS, ["payment_id"], amount=_amount("amount")),
    _step(CUSTOMERS, customers, SHOP_CUSTOMERS, ["customer_id"]),
    _step(REVIEWS, reviews, SHOP_REVIEWS, ["review_id"]),
    _step(PAGE_EVENTS, page_events, SHOP_PAGE_EVENTS, ["event_id"]),
    _step(STOCK_LEVELS, stock_levels, SHOP_STOCK_LEVELS, ["product_id"]),
    _step(PROMOTIONS, promotions, SHOP_PROMOTIONS, ["promotion_id"]),
    _step(MARKETING_SPEND, marketing_spend, SHOP_MARKETING_SPEND, ["channel", "campaign"], amount=_amount("spend")),
    _step(EXPOSURES, exposures, SHOP_EXPOSURES, ["experiment_id", "unit_id"]),
    reconciliation.step(SHOP),
)
