"""What to order, when, from whom and for how much; written by the scoring job.

How much comes from the quantiles of the demand over the lead time.
"""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, at_least_zero, key, law
from lakehouse.declare.rules import between, not_null, one_of
from lakehouse.declare.table import MONEY, Field, Table

ALERTS = ("order now", "order soon", "enough", "not counted", "delisted")

TABLE = Table(
    name="gold.inventory_plan",
    meaning="The stock that a product needs for the demand until a new delivery arrives, and what to order now.",
    grain=("shop_id", "product_id"),
    fields=(
        SHOP,
        key("product_id", "string", "product, by the shop's code"),
        Field("supplier_id", "string", "supplier, by the newest listing; null where the shop does not say"),
        key("as_of_on", "date", "last day that the forecast knows"),
        Field("lead_time_days", "int", "time from ordering to arrival", "days", (between(low=1, action="fail"),)),
        Field("on_hand", "bigint", "pieces in all warehouses; null where stock is not counted", "pieces"),
        Field("on_order", "bigint", "pieces ordered from suppliers", "pieces"),
        Field("lead_time_demand", "double", "expected demand over the lead time", "pieces", (at_least_zero(),)),
        Field("lead_time_q95", "double", "quantile .95 of that demand", "pieces", (at_least_zero(),)),
        Field("reorder_point", "double", "stock at which to order: the quantile .95", "pieces", (at_least_zero(),)),
        Field("safety_stock", "double", "the reorder point less the expected demand", "pieces", (at_least_zero(),)),
        Field(
            "order_quantity",
            "bigint",
            "pieces to order now: up to the reorder point and the demand of another lead time; 0 while there is "
            "enough, where stock is not counted, and of what is no longer sold",
            "pieces",
            (not_null("fail"), at_least_zero()),
        ),
        Field("unit_cost", MONEY, "cost of a piece, by the newest listing", "currency of the row", (at_least_zero(),)),
        Field(
            "order_value", MONEY, "order_quantity x unit_cost; null where the cost is not known", "currency of the row"
        ),
        key("currency", "string", "currency of the amounts (ISO 4217): that in which the shop sells most"),
        Field(
            "stockout_risk",
            "double",
            "chance that what is on hand and on order does not last for the lead time; null where it is not counted",
            "share",
            (between(0, 1, action="fail"),),
        ),
        Field("alert", "string", "what to do", rules=(not_null("fail"), one_of(ALERTS, "fail"))),
        Field("reason", "string", "why nothing is ordered without looking at the stock; null where the stock decides"),
        MODEL,
        RUN,
    ),
    row_law="One row per product with a forecast, those no longer sold too.",
    rules=(
        law(
            "reason.law",
            "what is delisted or not counted is not ordered, and the row says why",
            "(reason IS NOT NULL) = (alert IN ('delisted', 'not counted')) AND (reason IS NULL OR order_quantity = 0)",
            "alert",
            "reason",
            "order_quantity",
        ),
        law(
            "order_value.law",
            "order_value must be order_quantity x unit_cost",
            "(order_value IS NULL) = (unit_cost IS NULL) AND coalesce(order_value = order_quantity * unit_cost, true)",
            "order_value",
            "order_quantity",
            "unit_cost",
        ),
        law(
            "safety_stock.law",
            "reorder_point must be lead_time_demand + safety_stock",
            "abs(reorder_point - lead_time_demand - safety_stock) <= 1e-6 * (1 + reorder_point)",
            "reorder_point",
            "lead_time_demand",
            "safety_stock",
        ),
    ),
    has_lineage=False,
)
