"""Tables that only the shop feeds: what the planted kinds of dirt do, and that sound rows pass."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import DataFrame

from lakehouse.declare.table import Step, Table
from silver import STEPS, exposures, marketing_spend, page_events, payments, promotions, reviews, stock_levels

Rows = Callable[..., DataFrame]
Broken = Callable[[Table, DataFrame], list[set[str]]]
AT = "2024-03-01 10:00:00"


def step_of(table: Table) -> Step:
    return next(step for step in STEPS if step.table is table)


SOUND: dict[str, tuple[Step, dict[str, str]]] = {
    "payments": (
        step_of(payments.TABLE),
        {"payment_id": "1", "order_id": "1", "paid_at": AT, "method": "card", "amount": "9.95", "currency": "EUR"}
        | {"status": "captured"},
    ),
    "reviews": (step_of(reviews.TABLE), {"review_id": "1", "product_id": "P1", "rating": "5", "reviewed_at": AT}),
    "page_events": (
        step_of(page_events.TABLE),
        {"event_id": "1", "session_id": "1", "event_at": AT, "event_type": "view", "country": "ES"},
    ),
    "stock_levels": (
        step_of(stock_levels.TABLE),
        {"product_id": "P1", "counted_at": AT, "warehouse": "W1", "on_hand": "0", "lead_time_days": "7"},
    ),
    "promotions": (
        step_of(promotions.TABLE),
        {"promotion_id": "1", "discount_pct": "20", "starts_on": "2024-03-01", "ends_on": "2024-03-01"}
        | {"updated_at": AT},
    ),
    "marketing_spend": (
        step_of(marketing_spend.TABLE),
        {"spend_on": "2024-03-01", "channel": "social", "campaign": "brand", "country": "IT", "currency": "EUR"}
        | {"spend": "120.50", "clicks": "3"},
    ),
    "exposures": (
        step_of(exposures.TABLE),
        {"experiment_id": "bundle_hint", "unit_id": "C1", "variant": "control", "exposed_at": AT},
    ),
}

DIRT: dict[str, list[tuple[dict[str, str], set[str]]]] = {
    "payments": [
        ({"amount": "see invoice"}, {"amount.type"}),
        ({"method": "barter"}, {"method.one_of"}),
        ({"status": "refunded"}, {"amount.sign"}),
        ({"status": "refunded", "amount": "-9.95"}, set()),
        ({"amount": "-9.95"}, {"amount.sign"}),
    ],
    "reviews": [({"rating": "9"}, {"rating.between"})],
    "page_events": [({"event_type": "stare"}, {"event_type.one_of"})],
    "stock_levels": [({"on_hand": "-5"}, {"on_hand.between"})],
    "promotions": [
        ({"discount_pct": "150"}, {"discount_pct.between"}),
        ({"ends_on": "2024-02-29"}, {"ends_on.not_before_starts_on"}),
    ],
    "marketing_spend": [({"spend": "-120.50"}, {"spend.between"})],
    "exposures": [({"variant": "purple"}, {"variant.one_of"})],
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_rows_pass_and_dirt_is_rejected_by_the_rule_it_breaks(rows: Rows, broken: Broken, name: str) -> None:
    step, sound = SOUND[name]
    changes: list[tuple[dict[str, Any], set[str]]] = [({}, set()), *DIRT[name]]
    delivered = rows(step.reads[0].table, *(sound | change for change, _ in changes))
    assert broken(step.table, step.build(**{step.reads[0].table.short_name: delivered})) == [r for _, r in changes]
