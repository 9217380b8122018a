"""Forecasts, stock plans, segments and KPIs are the rows of gold."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args

import polars as pl
import pytest
from fastapi.testclient import TestClient

from gold.demand import demand_forecast, inventory_plan
from gold.kpis import KPIS
from lakehouse.declare.table import Table
from serving.api import plans
from tests.serving.api.conftest import PATH


def get(client: TestClient, path: str, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = client.get(path, params=asked)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == ("application/json" if status == 200 else "application/problem+json")
    found: dict[str, Any] = answer.json()
    return found


def test_what_can_be_asked_for_is_what_gold_may_hold() -> None:
    assert get_args(plans.Level) == demand_forecast.LEVELS
    assert get_args(plans.Alert) == inventory_plan.ALERTS


@pytest.mark.parametrize(
    ("level", "series"), [("total", "total"), ("series", "P01"), ("category", "home/kitchen")], ids=lambda name: name
)
def test_a_forecast_is_in_order_and_as_of_the_day_before_it(client: TestClient, level: str, series: str) -> None:
    answer = get(client, f"{PATH}/forecast", level=level, series=series)
    assert (answer["as_of"], answer["frequency"], answer["version"]) == ("2024-08-31", "D", 3)
    assert [point["mean"] for point in answer["points"]] == [1.5 * step for step in range(1, 8)]
    assert answer["points"][0]["period_on"] == "2024-09-01"


def test_the_stock_plan_begins_with_the_greatest_risk(client: TestClient) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"alert": "order now"},
        {"limit": 1, "offset": 1},
        {"product": "P02"},
        {"product": "P02", "alert": "order now"},
    ]
    answers = [get(client, f"{PATH}/stock-plan", **given) for given in asked]
    assert [[row["product_id"] for row in answer["items"]] for answer in answers] == [
        ["P03", "P01", "P02", "P04"],
        ["P03", "P01"],
        ["P01"],
        ["P02"],
        [],
    ]
    assert [answer["total"] for answer in answers] == [4, 2, 4, 1, 0]
    assert {answer["as_of"] for answer in answers} == {"2024-08-31"}


def test_a_customer_is_in_a_segment(client: TestClient) -> None:
    answer = get(client, f"{PATH}/segment", customer="C000")
    assert (answer["segment"]["segment"], answer["segment"]["tier"], answer["as_of"]) == ("loyal", "High", "2024-08-31")
    assert get(client, f"{PATH}/segment", 404, customer="nobody")["type"] == "urn:shoplake:unknown-customer"


def test_a_kpi_is_exact_by_currency_and_tells_which_periods_are_over(client: TestClient) -> None:
    answer = get(client, f"{PATH}/kpis/marketing_spend")
    found = [tuple(row[name] for name in ("period_on", "currency", "value", "is_complete")) for row in answer["values"]]
    assert found == [
        (first, currency, str(Decimal("0.105") * days), is_complete)
        for first, days, is_complete in (("2024-07-01", 1, True), ("2024-08-01", 31, True), ("2024-09-01", 2, False))
        for currency in ("EUR", "GBP")
    ]
    assert (answer["as_of"], answer["model"], answer["kpi"]["unit"]) == ("2024-09-02", None, "money")
    weeks = get(client, f"{PATH}/kpis/return_on_ad_spend", period="week", since="2024-08-05", until="2024-08-12")
    assert [row["period_on"] for row in weeks["values"]] == ["2024-08-05"] * 2 + ["2024-08-12"] * 2
    assert {row["value"] for row in weeks["values"]} == {1000 / 105}


def test_kpis_are_told_with_their_formula(client: TestClient) -> None:
    told = {kpi["name"]: kpi["formula"] for kpi in get(client, "/v1/kpis")["kpis"]}
    assert told == {kpi.name: kpi.formula for kpi in KPIS}


@pytest.mark.parametrize(
    ("path", "asked", "status", "kind", "hint"),
    [
        ("/v1/shops/elsewhere/forecast", {}, 404, "unknown-shop", "there are s"),
        (f"{PATH}/forecast", {"level": "series", "series": "none"}, 404, "unknown-series", "gold.demand_forecast"),
        (f"{PATH}/stock-plan", {"product": "none"}, 404, "unknown-product", "gold.inventory_plan"),
        (f"{PATH}/similar-products", {"product": "none"}, 404, "unknown-product", "catalogue"),
        (f"{PATH}/kpis/luck", {}, 404, "unknown-kpi", "there are net_revenue,"),
        (f"{PATH}/kpis/orders", {}, 404, "table-missing", "shoplake run"),
        (
            f"{PATH}/kpis/marketing_spend",
            {"since": "2024-02-01", "until": "2024-01-01"},
            422,
            "invalid-request",
            "since",
        ),
        (f"{PATH}/recommendations", {"limit": 51}, 422, "invalid-request", "see errors"),
        (f"{PATH}/recommendations", {"seen": ["x"] * 101}, 422, "invalid-request", "see errors"),
        (f"{PATH}/cart-suggestions", {}, 422, "invalid-request", "see errors"),
        ("/nowhere", {}, 404, "not-found", "openapi.json"),
    ],
)
def test_what_cannot_be_answered_is_told_by_kind(
    client: TestClient, path: str, asked: Mapping[str, Any], status: int, kind: str, hint: str
) -> None:
    told = get(client, path, status, **asked)
    assert (told["type"], told["status"]) == (f"urn:shoplake:{kind}", status)
    assert hint in told["detail"]


def test_a_problem_does_not_repeat_what_was_asked(client: TestClient) -> None:
    told = client.get(f"{PATH}/segment", params={"customer": "somebody" * 50})
    assert told.status_code == 422
    assert "somebody" not in told.text


def test_freshness_tells_the_release_its_tables_and_how_far_models_know(
    client: TestClient, tables: Mapping[Table, pl.DataFrame]
) -> None:
    told = get(client, "/v1/freshness")
    assert told["is_newest"]
    assert told["problem"] is None
    assert {row["table"] for row in told["tables"]} == {table.name for table in tables}
    assert {name: day for name, day in told["shops"][0].items() if name.endswith("_as_of")} == dict.fromkeys(
        ("recommend_as_of", "forecast_as_of", "segment_as_of"), "2024-08-31"
    )
    assert get(client, "/v1/health")["status"] == "ok"
    assert get(client, "/v1/shops")["shops"] == ["s"]
