"""Whether each customer has a whole list of recommendations, and if not, why; written by the scoring job."""

from __future__ import annotations

from gold.recommend.recommendations import TASKS
from gold.vocabulary import MODEL, RUN, SHOP, count, key, law
from lakehouse.declare.rules import between, not_null, one_of
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.recommendation_coverage",
    meaning="How many products gold.recommendations has for a customer, and why there are no more.",
    grain=("shop_id", "customer_id", "task"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer known to the shop, or who ever bought anything"),
        Field("task", "string", "ALL: any product; NEW: one the customer never bought", rules=(one_of(TASKS, "fail"),)),
        count("asked", "products that the list should have", "products", between(low=1, action="fail")),
        count("products", "products that it has", "products"),
        Field("is_short", "boolean", "whether it has fewer products than asked for", rules=(not_null("fail"),)),
        Field("reason", "string", "why it has; null where it does not"),
        key("as_of_on", "date", "last day that the model knows"),
        MODEL,
        RUN,
    ),
    row_law="One row per task and customer, of whom the shop knows and who ever bought, those without a list too.",
    rules=(
        law(
            "reason.law",
            "a list is short, with a reason, exactly if it has fewer products than asked for",
            "is_short = (products < asked) AND is_short = (reason IS NOT NULL)",
            "is_short",
            "products",
            "asked",
            "reason",
        ),
    ),
    has_lineage=False,
)
