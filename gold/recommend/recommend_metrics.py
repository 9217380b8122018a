"""How the recommender did on days that it had not seen, beside what a shop could do without; by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, key
from lakehouse.declare.rules import one_of
from lakehouse.declare.table import Field, Table

MEASURES = ("precision", "recall", "ndcg", "hit", "coverage", "novelty")

TABLE = Table(
    name="gold.recommend_metrics",
    meaning="A measure of a way to recommend ten products, on purchases that were held out, in full ranking.",
    grain=("shop_id", "task", "method", "measure"),
    fields=(
        SHOP,
        key("task", "string", "ALL: any product; NEW: those the customer never bought"),
        key("method", "string", "hybrid, ALS, or a baseline"),
        key(
            "measure",
            "string",
            "precision, recall, ndcg, hit (means over customers), coverage, novelty in bits",
            one_of(MEASURES, "fail"),
        ),
        Field("value", "double", "the measure; null where it could not be computed"),
        MODEL,
        RUN,
    ),
    row_law="One row per task, method and measure; none where the plain baseline serves.",
    has_lineage=False,
)
