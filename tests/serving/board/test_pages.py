"""What pages say of rows that a reader of the test can add up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import altair as alt
import pytest

from gold.customers import cohort_retention
from gold.demand import inventory_plan
from gold.sales import products as gold_products
from serving.board.blocks import Figure, Note, Tiles, View
from serving.board.pages import PAGES, customers, executive, operations, products

FEBRUARY_2024 = {"from": "2024-02-01", "to": "2024-02-29"}


def figure(blocks: list[Any], name: str) -> Figure:
    (found,) = [block for block in blocks if isinstance(block, Figure) and block.name == name]
    return found


def test_key_figures_are_of_the_period_in_its_currency(view: Callable[..., View]) -> None:
    blocks = executive.key_figures.blocks(view(FEBRUARY_2024))
    (tiles,) = [block for block in blocks if isinstance(block, Tiles)]
    shown = {tile.title: tile for tile in tiles.tiles}
    assert shown["Net revenue"].value == "200.00 EUR"
    assert shown["Net revenue"].changes[0] == "+53.8 % against January 2024"
    assert (shown["Net revenue"].tone, shown["Orders"].tone) == ("good", "")
    assert shown["Average order value"].value == "100.00 EUR"
    assert shown["Repeat rate"].value == "50.0 %"
    told = figure(executive.all_figures.blocks(view(FEBRUARY_2024)), "kpis").takeaway
    assert "200.00 EUR, +53.8 % against January 2024" in told


def test_nothing_to_compare_with_is_said(view: Callable[..., View]) -> None:
    blocks = executive.all_figures.blocks(view({"from": "2024-01-01", "to": "2024-01-31"}))
    assert "there were no sales in December 2023" in figure(blocks, "kpis").takeaway


def test_days_without_sales_are_zeros_and_sums_agree(view: Callable[..., View]) -> None:
    rows = figure(executive.revenue.blocks(view(FEBRUARY_2024)), "revenue").rows
    now = rows.filter(rows["series"] == "February 2024")
    assert len(now) == 29
    assert now["value"].sum() == Decimal("200.00")
    then = rows.filter(rows["series"] == "January 2024 (compared)")
    assert then["value"].sum() == Decimal("100.00")  # 29 days of January are laid under those of February


def test_weeks_at_the_edges_have_the_days_of_the_period_alone(view: Callable[..., View]) -> None:
    rows = figure(executive.revenue.blocks(view({"from": "2023-11-01", "to": "2024-02-28"})), "revenue").rows
    assert rows.filter(rows["series"] == "2023-11-01 to 2024-02-28")["value"].sum() == Decimal("280.00")


def test_products_fall_and_rise_against_the_period_compared_with(view: Callable[..., View]) -> None:
    blocks = products.ranking.blocks(view(FEBRUARY_2024))
    assert figure(blocks, "best").takeaway.startswith("Product b sold best: 180.00 EUR.")
    assert figure(blocks, "falling").rows["change"].to_list() == [Decimal("-70.00")]
    assert figure(blocks, "rising").rows["change"].to_list() == [Decimal("140.00")]


def test_products_that_share_a_name_are_not_taken_for_one(view: Callable[..., View]) -> None:
    listed = [{"shop_id": "shop", "product_id": product, "name": "Pan"} for product in ("a", "b")]
    blocks = products.ranking.blocks(view(FEBRUARY_2024, {gold_products.TABLE: listed}))
    assert figure(blocks, "best").rows["name"].to_list() == ["Pan (b)", "Pan (a)"]


def test_a_missing_table_is_one_sentence_with_the_command_that_makes_it(view: Callable[..., View]) -> None:
    given = view()
    told = operations.alerts.blocks(
        View(given.reader, given.scope, {"gold.inventory_plan": "`shoplake score forecast`"})
    )
    assert told == [Note("What to do", "This warehouse has no gold.inventory_plan yet; run `shoplake score forecast`.")]


def test_a_page_never_fails_for_what_is_missing(view: Callable[..., View]) -> None:
    for page in PAGES:
        for part in page.sections:
            assert part.blocks(view(FEBRUARY_2024))


def test_order_proposals_add_up_by_supplier_and_say_what_has_no_cost(view: Callable[..., View]) -> None:
    ordered = (("a", 10, "s1", "25.00"), ("b", 5, "s1", "5.00"), ("c", 2, None, None), ("d", 0, "s2", "0.00"))
    plan: list[dict[str, Any]] = [
        {
            "shop_id": "shop",
            "product_id": product,
            "supplier_id": supplier,
            "order_quantity": pieces,
            "order_value": value,
            "currency": "EUR",
        }
        for product, pieces, supplier, value in ordered
    ]
    given = view(None, {inventory_plan.TABLE: plan})
    blocks = operations.proposals.blocks(given)
    suppliers = figure(blocks, "orders_by_supplier")
    assert suppliers.rows.row(0, named=True) == {
        "supplier": "s1",
        "products": 2,
        "order_quantity": 15,
        "cost": Decimal("30.00"),
        "without_cost": 0,
    }
    assert "costs 30.00 EUR" in suppliers.takeaway
    assert "The cost of 1 product is not known" in suppliers.takeaway
    assert "17 pieces" in figure(blocks, "orders").takeaway


def test_retention_is_weighed_by_the_size_of_cohorts(view: Callable[..., View]) -> None:
    cohorts = [
        {"shop_id": "shop", "cohort_month": month, "months_since": since, "currency": "EUR"}
        | {"customers": size, "active_customers": active, "retention": active / size}
        for month, since, size, active in (
            (date(2024, 1, 1), 0, 90, 90),
            (date(2024, 1, 1), 1, 90, 9),
            (date(2024, 2, 1), 0, 10, 10),
            (date(2024, 2, 1), 1, 10, 9),
        )
    ]
    (shown,) = customers.cohorts.blocks(view(None, {cohort_retention.TABLE: cohorts}))
    assert isinstance(shown, Figure)
    assert "18.0 % ordered again" in shown.takeaway


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_charts_are_of_a_valid_form(view: Callable[..., View], page: Any) -> None:
    for part in page.sections:
        for block in part.blocks(view(FEBRUARY_2024)):
            if isinstance(block, Figure) and isinstance(block.chart, alt.TopLevelMixin):
                assert block.chart.to_dict(validate=True)["$schema"]
