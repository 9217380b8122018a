"""All versions of all models with what was measured of them, to compare in BI; written after each training."""

from __future__ import annotations

from gold.vocabulary import SHOP, key
from lakehouse.declare.rules import not_null
from lakehouse.declare.table import Field, Table

TABLE = Table(
    name="gold.model_scorecard",
    meaning="A measure of a version of a shop's model, on time that the model had not seen.",
    grain=("shop_id", "family", "version", "measure"),
    fields=(
        SHOP,
        key("family", "string", "family of models: recommend, forecast, segment"),
        key("version", "bigint", "version of the registered model"),
        key("measure", "string", "what was measured"),
        Field("value", "double", "the measure; null where it could not be computed"),
        Field("is_champion", "boolean", "whether this version scores now", rules=(not_null("fail"),)),
        key("trained_at", "timestamp", "when the version was trained and judged (UTC)"),
        Field("held_out", "string", "days that it was judged on"),
        Field("decision", "string", "why it became champion, or did not"),
        Field("model_run", "string", "MLflow run that trained it"),
    ),
    row_law="One row per version and measure that MLflow holds.",
    has_lineage=False,
)
