"""What to show people of whom nothing is known; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.rules import between
from lakehouse.declare.table import Field, Table

PLACES = 50

TABLE = Table(
    name="gold.best_sellers",
    meaning="A product that sells best in a country, or in the whole shop: for visitors of whom nothing is known.",
    grain=("shop_id", "country_code", "rank"),
    fields=(
        SHOP,
        key("country_code", "string", "country of the buyers; * for those of all countries"),
        Field("rank", "int", f"place in the list, from 1 to {PLACES}", rules=(between(1, PLACES, action="fail"),)),
        key("product_id", "string", "product, by the shop's code, which may be sold now"),
        Field("score", "double", "orders the products of one list"),
        Field(
            "chance",
            "double",
            "share of the buyers of the last 30 days who bought it; a country's leans on the shop's where it has few",
            "share",
            (between(0, 1, action="fail"),),
        ),
        key("reason", "string", "why, in words"),
        key("as_of_on", "date", "last day that the model knows"),
        MODEL,
        RUN,
    ),
    row_law=f"{PLACES} rows per country with a known customer, and for the whole shop; fewer only where no more may be "
    "sold.",
    has_lineage=False,
)
