"""Who saw which variant of an experiment."""

from __future__ import annotations

from lakehouse.declare.rules import not_null, one_of
from lakehouse.declare.table import Field, Table
from silver.shared import SCOPE, SHOP_ID, not_after_delivery

VARIANTS = ("control", "treatment")

TABLE = Table(
    name="silver.exposures",
    meaning="The variant of an experiment that a unit (a visitor or customer) was shown.",
    grain=("shop_id", "experiment_id", "unit_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("experiment_id", "string", "experiment", rules=(not_null(),)),
        Field("unit_id", "string", "visitor or customer that was assigned", rules=(not_null(),)),
        Field("variant", "string", "what was shown", rules=(not_null(), one_of(VARIANTS))),
        Field(
            "exposed_at", "timestamp", "when it was first shown (UTC)", rules=(not_null(), not_after_delivery("time"))
        ),
    ),
    row_law="One row per experiment and unit.",
    day="exposed_at",
)
