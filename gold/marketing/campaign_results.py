"""What a campaign cost and what is known to have come of it: advertising by month, and promotions of products.

Advertising brings the orders of visits that name it in their link, whatever else led to them: the last click. A
promotion is set beside as many days before and after it, which a season may have made better or worse as well.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.demand import demand_daily as gold_demand_daily
from gold.measures import ORDER_OF_LINE, costed, last_days, measured
from gold.sales import sales_by_order as gold_sales_by_order
from gold.sales import sessions as gold_sessions
from gold.sales import shops as gold_shops
from gold.vocabulary import SHOP, as_declared, at_least_zero, key, law
from lakehouse.declare.rules import between, not_before, one_of
from lakehouse.declare.table import MONEY, Field, Read, Step, Table
from silver import marketing_spend as silver_marketing_spend
from silver import order_lines as silver_order_lines
from silver import orders as silver_orders
from silver import promotions as silver_promotions

KINDS = ("advertising", "promotion")
_NOT_NEGATIVE = (at_least_zero(),)
_IN_CURRENCY = "currency of the row"

TABLE = Table(
    name="gold.campaign_results",
    meaning="What advertising of a campaign cost and brought in a month; what a promotion gave away and sold.",
    grain=("shop_id", "kind", "campaign_id", "starts_on", "currency"),
    fields=(
        SHOP,
        key("kind", "string", "advertising or promotion", one_of(KINDS, "fail")),
        key("campaign_id", "string", "of advertising, channel and campaign with a slash between; else the promotion"),
        key("starts_on", "date", "first day: of the month, or of the promotion"),
        Field("ends_on", "date", "last day", rules=(not_before("starts_on", "fail"),)),
        key("currency", "string", "currency of the amounts (ISO 4217)"),
        Field("name", "string", "name of the campaign"),
        Field("channel", "string", "channel of advertising; null for a promotion"),
        Field("product_id", "string", "product that is promoted; null for all, and for advertising"),
        Field("spend", MONEY, "cost of advertising", _IN_CURRENCY, _NOT_NEGATIVE),
        Field("impressions", "bigint", "times shown", "times", _NOT_NEGATIVE),
        Field("clicks", "bigint", "times clicked", "times", _NOT_NEGATIVE),
        Field("sessions", "bigint", "visits whose link named the campaign", "visits", _NOT_NEGATIVE),
        Field("orders", "bigint", "orders that still count: of these visits, or with a line that names the promotion"),
        Field("net_revenue", MONEY, "net revenue of these orders, or of these lines", _IN_CURRENCY),
        Field("margin", MONEY, "the margin in it; null where no cost is known", _IN_CURRENCY),
        Field("contribution", MONEY, "margin - spend: what advertising left; null for a promotion", _IN_CURRENCY),
        Field("discount", MONEY, "what the promotion gave away on lines that name it", _IN_CURRENCY),
        Field("days", "int", "days that the promotion ran so far", "days", (between(low=1, action="fail"),)),
        Field("sales", MONEY, "product sales of these days, before cancellation", _IN_CURRENCY, _NOT_NEGATIVE),
        Field("sales_before", MONEY, "those of as many days before it", _IN_CURRENCY, _NOT_NEGATIVE),
        Field("sales_after", MONEY, "those of as many days after it", _IN_CURRENCY, _NOT_NEGATIVE),
        Field("untold", "string", "what cannot be told of the campaign, and why; null where all can"),
    ),
    row_law="One row per channel, campaign, month and currency with spend or a visit, and one per promotion that has "
    "begun and currency in which the product sells.",
    rules=(
        law(
            "contribution.law",
            "contribution must be margin - spend, and untold must say why where it is missing",
            "CASE WHEN contribution IS NULL THEN untold IS NOT NULL ELSE contribution = margin - spend END",
            "contribution",
            "margin",
            "spend",
            "untold",
        ),
    ),
    has_lineage=False,
)


def build(
    sales_by_order: DataFrame,
    marketing_spend: DataFrame,
    sessions: DataFrame,
    orders: DataFrame,
    promotions: DataFrame,
    order_lines: DataFrame,
    demand_daily: DataFrame,
    shops: DataFrame,
) -> DataFrame:
    """Put what is known to have come of a campaign beside its cost."""
    advertising = _advertising(marketing_spend, sessions, orders, sales_by_order, shops)
    begun = _begun(promotions, last_days(sales_by_order, "sold_on", "lines"))
    promoted = _promotions(begun, costed(measured(order_lines, orders), shops), demand_daily)
    return as_declared(advertising.unionByName(promoted, allowMissingColumns=True), TABLE)


def _untold(*reasons: tuple[Column, str]) -> Column:
    """The reasons that hold, in one text; null where none does."""
    told = F.concat_ws("; ", *(F.when(holds, F.lit(reason)) for holds, reason in reasons))
    return F.nullif(told, F.lit(""))


def _advertising(
    marketing_spend: DataFrame, sessions: DataFrame, orders: DataFrame, sales: DataFrame, shops: DataFrame
) -> DataFrame:
    campaign = ["shop_id", "channel", "campaign", "starts_on"]
    spent = marketing_spend.groupBy(
        "shop_id", "channel", "campaign", F.trunc("spend_on", "MM").alias("starts_on"), "currency"
    ).agg(*(F.sum(name).alias(name) for name in ("spend", "impressions", "clicks")))
    visits = sessions.where("utm_source IS NOT NULL AND utm_campaign IS NOT NULL").select(
        "shop_id",
        "session_id",
        F.col("utm_source").alias("channel"),
        F.col("utm_campaign").alias("campaign"),
        F.trunc("started_on", "MM").alias("starts_on"),
    )
    ordered = orders.where("session_id IS NOT NULL").select("shop_id", "session_id", "order_id")
    worth = sales.select("shop_id", "order_id", "currency", "is_kept", "net_revenue", "margin")
    brought = (
        visits.join(ordered, ["shop_id", "session_id"])
        .join(worth, ["shop_id", "order_id"])
        .groupBy(*campaign, "currency")
        .agg(
            F.count_distinct(F.when(F.col("is_kept"), F.col("order_id"))).alias("orders"),
            F.sum("net_revenue").alias("net_revenue"),
            F.sum("margin").alias("margin"),
        )
    )
    # Visits have no currency: they stand in the row of the campaign that has the most spend.
    place = F.row_number().over(Window.partitionBy(*campaign).orderBy(F.desc_nulls_last("spend"), "currency"))
    counted = visits.groupBy(*campaign).agg(F.count("*").alias("sessions")).withColumn("place", F.lit(1))
    rows = (
        spent.join(brought, [*campaign, "currency"], "full")
        .withColumn("place", place)
        .join(counted, [*campaign, "place"], "full")
        .join(F.broadcast(shops.select("shop_id", F.col("currency").alias("own"))), "shop_id", "left")
    )
    is_visited = F.max("sessions").over(Window.partitionBy(*campaign)).isNotNull()
    rows = rows.withColumns(
        {
            "kind": F.lit("advertising"),
            "campaign_id": F.concat_ws("/", "channel", "campaign"),
            "name": F.col("campaign"),
            "ends_on": F.last_day("starts_on"),
            "currency": F.coalesce("currency", "own"),
            "orders": F.when(is_visited, F.coalesce("orders", F.lit(0))),
            "net_revenue": F.when(is_visited, F.coalesce("net_revenue", F.lit(0))),
        }
    )
    # Where nothing came of it there is no margin either, whatever goods cost.
    is_nothing = (F.col("orders") == 0) & (F.col("net_revenue") == 0)
    rows = rows.withColumn("margin", F.coalesce("margin", F.when(is_nothing, F.lit(0))))
    rows = rows.withColumn("contribution", F.col("margin") - F.col("spend"))
    untold = _untold(
        (F.col("spend").isNull(), "contribution: no spend on it was delivered"),
        (F.col("net_revenue").isNull(), "what it brought: no visit names it"),
        (F.col("net_revenue").isNotNull() & F.col("margin").isNull(), "margin: no cost of what was sold is known"),
    )
    return rows.withColumn("untold", untold).where("currency IS NOT NULL")


def _begun(promotions: DataFrame, last: DataFrame) -> DataFrame:
    """The promotions that have begun by the shop's last day, with the days that they ran until then."""
    return (
        promotions.join(F.broadcast(last), "shop_id")
        .where("starts_on <= as_of_on")
        .withColumns(
            {
                "ends_on": F.least("ends_on", "as_of_on"),
                "is_over": F.coalesce(F.col("ends_on") <= F.col("as_of_on"), F.lit(False)),
            }
        )
        .withColumn("days", F.date_diff("ends_on", "starts_on") + 1)
    )


def _promotions(begun: DataFrame, lines: DataFrame, demand_daily: DataFrame) -> DataFrame:
    promotion = ["shop_id", "promotion_id"]
    span = begun.select(*promotion, "product_id", "starts_on", "ends_on", "days")
    near = F.col("demand_on").between(F.expr("date_sub(starts_on, days)"), F.expr("date_add(ends_on, days)"))
    day = ["shop_id", "demand_on", "currency"]
    by_day = demand_daily.select(*day, "product_id", "sales_amount")
    of_all = by_day.groupBy(*day).agg(F.sum("sales_amount").alias("sales_amount"))
    of_one = by_day.join(F.broadcast(span.where("product_id IS NOT NULL")), ["shop_id", "product_id"])
    of_all = of_all.join(F.broadcast(span.where("product_id IS NULL")), "shop_id")
    windows = {
        "sales": F.col("demand_on").between(F.col("starts_on"), F.col("ends_on")),
        "sales_before": F.col("demand_on") < F.col("starts_on"),
        "sales_after": F.col("demand_on") > F.col("ends_on"),
    }
    sold = (
        of_one.unionByName(of_all)
        .where(near)
        .groupBy(*promotion, "currency")
        .agg(
            *(
                F.coalesce(F.sum(F.when(where, F.col("sales_amount"))), F.lit(0)).alias(n)
                for n, where in windows.items()
            ),
            *(
                F.count_distinct(F.when(windows[name], F.col("demand_on"))).alias(f"days_{name}")
                for name in ("sales_before", "sales_after")
            ),
        )
    )
    counts = F.col("kind").isin("sale", "cancellation") & ~F.col("is_undone")
    named = (
        lines.where("promotion_id IS NOT NULL")
        .groupBy(*promotion, "currency")
        .agg(
            F.count_distinct(F.when(F.col("is_kept"), F.col("order_id"))).alias("orders"),
            F.coalesce(F.sum(F.when(counts, F.col("amount"))), F.lit(0)).alias("net_revenue"),
            F.sum(F.when(counts, F.col("amount") - F.col("cost"))).alias("margin"),
            F.coalesce(F.sum(F.when(counts, F.col("discount"))), F.lit(0)).alias("discount"),
        )
    )
    rows = begun.join(sold, promotion).join(named, [*promotion, "currency"], "left")
    is_after = F.col("is_over") & (F.col("days_sales_after") >= F.col("days"))
    is_before = F.col("days_sales_before") >= F.col("days")
    untold = _untold(
        (F.lit(True), "contribution: what would have been sold without it is not known"),
        (F.col("net_revenue").isNull(), "orders and discount: no order line names it"),
        (F.col("net_revenue").isNotNull() & F.col("margin").isNull(), "margin: no cost of what was sold is known"),
        (~is_before, "sales before: not on sale for as many days before it"),
        (~is_after, "sales after: as many days have not passed since"),
    )
    return rows.select(
        "shop_id",
        F.lit("promotion").alias("kind"),
        F.col("promotion_id").alias("campaign_id"),
        "starts_on",
        "ends_on",
        "currency",
        F.coalesce("name", "promotion_id").alias("name"),
        "product_id",
        "orders",
        "net_revenue",
        "margin",
        "discount",
        "days",
        "sales",
        F.when(is_before, F.col("sales_before")).alias("sales_before"),
        F.when(is_after, F.col("sales_after")).alias("sales_after"),
        untold.alias("untold"),
    )


_OF_SHOP = {"shop_id": "shop_id"}

STEP = Step(
    table=TABLE,
    build=build,
    reads=(
        Read(gold_sales_by_order.TABLE, groups=_OF_SHOP),
        Read(silver_marketing_spend.TABLE, groups=_OF_SHOP),
        Read(gold_sessions.TABLE, groups=_OF_SHOP),
        Read(silver_orders.TABLE, joins=ORDER_OF_LINE),
        Read(silver_promotions.TABLE, groups=_OF_SHOP),
        Read(silver_order_lines.TABLE, where="promotion_id IS NOT NULL", groups=_OF_SHOP),
        Read(gold_demand_daily.TABLE, groups=_OF_SHOP),
        Read(gold_shops.TABLE, groups=_OF_SHOP),
    ),
    recompute=("shop_id",),
)
