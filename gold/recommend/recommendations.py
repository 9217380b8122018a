"""What to show each customer; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.rules import between, one_of
from lakehouse.declare.table import Field, Table

TASKS = ("ALL", "NEW")

TABLE = Table(
    name="gold.recommendations",
    meaning="A product to show a customer, with its place in the customer's list and the reason in words.",
    grain=("shop_id", "customer_id", "task", "rank"),
    fields=(
        SHOP,
        key("customer_id", "string", "customer"),
        Field("task", "string", "ALL: any product; NEW: one the customer never bought", rules=(one_of(TASKS, "fail"),)),
        Field("rank", "int", "place in the list, from 1 to 10", rules=(between(1, 10, action="fail"),)),
        key("product_id", "string", "product, by the shop's code"),
        Field("score", "double", "orders the products of one customer; not comparable between customers"),
        Field(
            "chance",
            "double",
            "probability of a purchase within the model's window; for strangers the share of buyers who bought it; "
            "null where a rule decides",
            "share",
            (between(0, 1, action="fail"),),
        ),
        key("reason", "string", "why, in words"),
        key("as_of_on", "date", "last day that the model knows"),
        MODEL,
        RUN,
    ),
    row_law="Ten rows per customer and task, for every customer of the shop, of products that may be sold now; who has "
    "fewer, or none, has the reason in gold.recommendation_coverage.",
    has_lineage=False,
)
