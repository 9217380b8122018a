"""How well the forecast that serves did on time that it had not seen; written by the scoring job."""

from __future__ import annotations

from gold.vocabulary import MODEL, RUN, SHOP, count, key
from lakehouse.declare.rules import one_of
from lakehouse.declare.table import Field, Table

MEASURES = ("MASE", "WAPE", "bias", "bias of mean", "coverage 80", "coverage 95")

TABLE = Table(
    name="gold.forecast_metrics",
    meaning="A measure of the forecast, of one of its members or of a plain rule, over the newest periods held out.",
    grain=("shop_id", "demand_class", "member", "measure"),
    fields=(
        SHOP,
        key("demand_class", "string", "all series, or those of a class: smooth, erratic, intermittent, lumpy"),
        key("member", "string", "ensemble, one of its members, or seasonal naive"),
        key(
            "measure",
            "string",
            "MASE, WAPE or bias of the medians, bias of mean, coverage 80 or coverage 95",
            one_of(MEASURES, "fail"),
        ),
        Field("value", "double", "the measure; null where it could not be computed"),
        count("series", "series behind it", "series"),
        MODEL,
        RUN,
    ),
    row_law="One row per class, member and measure; none where the plain baseline serves.",
    has_lineage=False,
)
