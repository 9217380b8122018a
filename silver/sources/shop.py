"""How the feeds of the shop become silver: each is one table of ours by almost the same names; its days are UTC's."""

from __future__ import annotations

from pyspark.sql import DataFrame
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
from lakehouse.declare.conform import typed
from lakehouse.declare.table import Read, Step
from silver import countries
from silver.customers import TABLE as CUSTOMERS
from silver.exposures import TABLE as EXPOSURES
from silver.marketing_spend import TABLE as MARKETING_SPEND
from silver.order_lines import TABLE as ORDER_LINES
from silver.order_lines import amount, delivered_amount
from silver.orders import TABLE as ORDERS
from silver.page_events import TABLE as PAGE_EVENTS
from silver.payments import TABLE as PAYMENTS
from silver.products import TABLE as PRODUCTS
from silver.promotions import TABLE as PROMOTIONS
from silver.reviews import TABLE as REVIEWS
from silver.stock_levels import TABLE as STOCK_LEVELS


def products(shop_products: DataFrame) -> DataFrame:
    """A delivered state of a product is an event."""
    names = [f.name for f in PRODUCTS.fields if f.name != "shop_id"]
    return typed(shop_products, PRODUCTS, shop_id=F.lit("shop"), **{name: name for name in names})


def order_lines(shop_order_lines: DataFrame) -> DataFrame:
    """The shop's lines are numbered, and its days are those of UTC. A negative quantity is goods that come back."""
    lines = typed(
        shop_order_lines,
        ORDER_LINES,
        shop_id=F.lit("shop"),
        order_id="order_id",
        line_id="line_no",
        sold_at="ordered_at",
        customer_id="customer_id",
        product_id="product_id",
        quantity="quantity",
        unit_price="unit_price",
        discount=F.coalesce(F.nullif(F.trim("discount"), F.lit("")), F.lit("0")),
        currency="currency",
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        promotion_id="promotion_id",
    )
    is_return = F.col("quantity") < 0
    return lines.withColumns(
        {
            "sold_on": F.to_date("sold_at"),
            "description": F.lit(None).cast("string"),
            "amount": amount(),
            "item_type": F.lit("product"),
            "line_type": F.when(is_return, "cancellation").when(F.col("unit_price") == 0, "free").otherwise("sale"),
        }
    )


def orders(shop_orders: DataFrame) -> DataFrame:
    """A delivered state of an order; the shop's days are those of UTC."""
    same = ("order_id", "updated_at", "ordered_at", "customer_id", "session_id", "channel", "currency", "status")
    also = ("cancel_reason", "promised_on", "shipped_at", "delivered_at", "shipping_fee", "voucher_code")
    orders = typed(
        shop_orders,
        ORDERS,
        shop_id=F.lit("shop"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        items_amount="items_total",
        discount_amount="discount_total",
        order_amount="order_total",
        **{name: name for name in (*same, *also)},
    )
    return orders.withColumn("ordered_on", F.to_date("ordered_at"))


def payments(shop_payments: DataFrame) -> DataFrame:
    """A payment as delivered."""
    names = [f.name for f in PAYMENTS.fields if f.name != "shop_id"]
    return typed(shop_payments, PAYMENTS, shop_id=F.lit("shop"), **{name: name for name in names})


def customers(shop_customers: DataFrame) -> DataFrame:
    """A delivered state of an account is an event."""
    other = {f.name: f.name for f in CUSTOMERS.fields if f.name not in ("shop_id", "country", "country_code")}
    return typed(
        shop_customers,
        CUSTOMERS,
        shop_id=F.lit("shop"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        **other,
    )


def reviews(shop_reviews: DataFrame) -> DataFrame:
    """A review as delivered."""
    names = [f.name for f in REVIEWS.fields if f.name != "shop_id"]
    return typed(shop_reviews, REVIEWS, shop_id=F.lit("shop"), **{name: name for name in names})


def page_events(shop_page_events: DataFrame) -> DataFrame:
    """An event as delivered."""
    other = {f.name: f.name for f in PAGE_EVENTS.fields if f.name not in ("shop_id", "country", "country_code")}
    return typed(
        shop_page_events,
        PAGE_EVENTS,
        shop_id=F.lit("shop"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        **other,
    )


def stock_levels(shop_stock_levels: DataFrame) -> DataFrame:
    """A count as delivered."""
    names = [f.name for f in STOCK_LEVELS.fields if f.name != "shop_id"]
    return typed(shop_stock_levels, STOCK_LEVELS, shop_id=F.lit("shop"), **{name: name for name in names})


def promotions(shop_promotions: DataFrame) -> DataFrame:
    """A delivered state of a promotion."""
    names = [f.name for f in PROMOTIONS.fields if f.name != "shop_id"]
    return typed(shop_promotions, PROMOTIONS, shop_id=F.lit("shop"), **{name: name for name in names})


def marketing_spend(shop_marketing_spend: DataFrame) -> DataFrame:
    """A day of a campaign as delivered."""
    other = {f.name: f.name for f in MARKETING_SPEND.fields if f.name not in ("shop_id", "country", "country_code")}
    return typed(
        shop_marketing_spend,
        MARKETING_SPEND,
        shop_id=F.lit("shop"),
        country=countries.name(F.col("country")),
        country_code=countries.code(F.col("country")),
        **other,
    )


def exposures(shop_exposures: DataFrame) -> DataFrame:
    """An exposure as delivered."""
    names = [f.name for f in EXPOSURES.fields if f.name != "shop_id"]
    return typed(shop_exposures, EXPOSURES, shop_id=F.lit("shop"), **{name: name for name in names})


STEPS: tuple[Step, ...] = (
    Step(
        PRODUCTS,
        products,
        (Read(SHOP_PRODUCTS, groups={"shop_id": "'shop'", "product_id": "nullif(trim(product_id), '')"}),),
        recompute=("shop_id", "product_id"),
        source="shop",
    ),
    Step(
        ORDER_LINES,
        order_lines,
        (Read(SHOP_ORDER_LINES),),
        amount=delivered_amount("unit_price", "try_cast(coalesce(nullif(trim(discount), ''), '0') AS DECIMAL(18,2))"),
        source="shop",
    ),
    Step(
        ORDERS,
        orders,
        (Read(SHOP_ORDERS),),
        amount="coalesce(try_cast(trim(order_total) AS DECIMAL(18,2)), 0)",
        source="shop",
    ),
    Step(
        PAYMENTS,
        payments,
        (Read(SHOP_PAYMENTS),),
        amount="coalesce(try_cast(trim(amount) AS DECIMAL(18,2)), 0)",
        source="shop",
    ),
    Step(
        CUSTOMERS,
        customers,
        (Read(SHOP_CUSTOMERS, groups={"shop_id": "'shop'", "customer_id": "nullif(trim(customer_id), '')"}),),
        recompute=("shop_id", "customer_id"),
        source="shop",
    ),
    Step(REVIEWS, reviews, (Read(SHOP_REVIEWS),), source="shop"),
    Step(PAGE_EVENTS, page_events, (Read(SHOP_PAGE_EVENTS),), source="shop"),
    Step(STOCK_LEVELS, stock_levels, (Read(SHOP_STOCK_LEVELS),), source="shop"),
    Step(PROMOTIONS, promotions, (Read(SHOP_PROMOTIONS),), source="shop"),
    Step(
        MARKETING_SPEND,
        marketing_spend,
        (Read(SHOP_MARKETING_SPEND),),
        amount="coalesce(try_cast(trim(spend) AS DECIMAL(18,2)), 0)",
        source="shop",
    ),
    Step(EXPOSURES, exposures, (Read(SHOP_EXPOSURES),), source="shop"),
)
