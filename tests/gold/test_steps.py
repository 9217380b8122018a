"""What holds for every gold step: accounts, grain, rules, groups, and a gate that blocks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.testing import assertDataFrameEqual

from gold import STEPS
from gold.marketing import campaign_results
from gold.sales import revenue_drivers, shops
from lakehouse.declare.rules import errors_of
from lakehouse.declare.table import Read, Step, Table
from lakehouse.promotion import gate
from silver import (
    customers,
    demand_drivers,
    exposures,
    marketing_spend,
    order_lines,
    orders,
    page_events,
    period_sales,
    products,
    promotions,
    stock_levels,
)
from tests.integration.warehouse import as_files

Given = Callable[..., DataFrame]
Tables = Mapping[str, DataFrame]
Built = Callable[[Step], DataFrame]

each_step = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.table.name)

FIRST = date(2024, 1, 20)
DAYS = 40
SALES = [("product", "sale")] * 12 + [("product", "free"), ("shipping", "sale"), ("discount", "sale")]
CREDITS = [("product", "cancellation")] * 4 + [("fee", "cancellation"), ("product", "stock_adjustment")]


@pytest.fixture(scope="module")
def silver(given: Given) -> Tables:
    """Some weeks of two shops, made up by a fixed seed: cancelled and returned orders, credit notes, debts."""
    chance = random.Random(20240120)
    lines, heads = _orders(chance)
    samples: list[tuple[Table, list[str]]] = [
        (
            order_lines.TABLE,
            [
                "shop_id order_id line_id sold_on customer_id product_id quantity amount item_type line_type country "
                "discount unit_cost promotion_id",
                *lines,
            ],
        ),
        (orders.TABLE, ["shop_id order_id ordered_on customer_id status session_id cancel_reason channel", *heads]),
        (
            products.TABLE,
            [
                "shop_id product_id name listed_on is_active list_price __START_AT __END_AT",
                *(f"{shop} P{n} thing {_day(chance)} true {n}.50 {FIRST} -" for shop in "st" for n in range(9)),
                *(f"{shop} P{n} old {_day(chance)} true {n}.40 2023-12-01 {FIRST}" for shop in "st" for n in range(3)),
            ],
        ),
        (
            stock_levels.TABLE,
            [
                "shop_id product_id warehouse counted_at on_hand",
                *(
                    f"{shop} P{n} w{n % 2} {FIRST + timedelta(day)}T23:00:00Z {chance.choice((0, 0, 5))}"
                    for shop in "st"
                    for n in range(6)
                    for day in range(0, DAYS, 3)
                ),
            ],
        ),
        (
            promotions.TABLE,
            [
                "shop_id promotion_id product_id discount_pct starts_on ends_on",
                *(
                    f"{shop} {n} P{n} {chance.randint(5, 50)} {FIRST + timedelta(n)} {FIRST + timedelta(3 * n)}"
                    for shop in "st"
                    for n in range(4)
                ),
            ],
        ),
        (
            page_events.TABLE,
            [
                "shop_id event_id session_id visitor_id event_at event_type utm_source utm_campaign",
                *(
                    f"{shop} e{n} v{n % 60} v{n % 7} {_day(chance)}T10:00:00Z "
                    f"{chance.choice(page_events.EVENT_TYPES)} {chance.choice(('search c', 'mail c', '- -'))}"
                    for shop in "st"
                    for n in range(90)
                ),
            ],
        ),
        (
            customers.TABLE,
            [
                "shop_id customer_id country country_code registered_at marketing_consent __START_AT __END_AT",
                *(f"{shop} c{n} France FR {FIRST} true {FIRST} -" for shop in "st" for n in range(1, 80)),
                *(f"{shop} c{n} Spain ES {FIRST} false 2024-01-01 {FIRST}" for shop in "st" for n in range(1, 5)),
            ],
        ),
        (
            exposures.TABLE,
            [
                "shop_id experiment_id unit_id variant exposed_at",
                *(
                    f"{shop} x c{n} {('control', 'treatment')[n % 2]} {_day(chance)}T10:00:00Z"
                    for shop in "st"
                    for n in range(80)
                ),
                *(f"s y v{n} {('control', 'treatment')[n % 2]} {FIRST}T10:00:00Z" for n in range(9)),
            ],
        ),
        (
            marketing_spend.TABLE,
            [
                "shop_id spend_on spend",
                *(f"{shop} {_day(chance)} {chance.randint(1, 99)}.50" for shop in "st" for _ in range(20)),
            ],
        ),
        (
            period_sales.TABLE,
            [
                "location product_id period_on amount",
                *(
                    f"l{place} d{n} {FIRST + timedelta(7 * week)} {chance.randint(-5, 99)}.50"
                    for place in range(3)
                    for n in range(2)
                    for week in range(6)
                ),
            ],
        ),
        (
            demand_drivers.TABLE,
            [
                "location period_on driver value",
                *(
                    f"l{place} {FIRST + timedelta(7 * week)} {driver} {chance.randint(0, 9)}"
                    for place in range(3)
                    for week in range(9)
                    for driver in ("is_holiday", "markdown_1")
                ),
            ],
        ),
    ]
    frames = {table.name: given(table, "\n".join(text)).cache() for table, text in samples}
    read = {read.table.name for step in STEPS for read in step.reads}
    for step in STEPS:  # in the order in which they depend on each other
        if step.table.name in read:
            frames[step.table.name] = _built(step, frames).cache()
    return frames


@pytest.fixture(scope="module")
def built(silver: Tables) -> Built:
    """The table that a step makes of all these rows, built once."""
    made = {step.table.name: silver[step.table.name] for step in STEPS if step.table.name in silver}

    def build(step: Step) -> DataFrame:
        if step.table.name not in made:
            made[step.table.name] = _built(step, silver).cache()
        return made[step.table.name]

    return build


def _day(chance: random.Random) -> date:
    return FIRST + timedelta(chance.randrange(DAYS))


def _orders(chance: random.Random) -> tuple[list[str], list[str]]:
    lines, heads = [], []
    for number in range(90):
        shop = chance.choice("sst")
        day = _day(chance)
        customer = chance.choice(["-", *(f"c{n}" for n in range(12))])
        status = chance.choice(["placed", "delivered", "delivered", "cancelled", "returned", "credit"])
        for line in range(chance.randint(1, 4)):
            item_type, line_type = chance.choice(CREDITS if status == "credit" else SALES)
            cents = 0 if line_type in ("free", "stock_adjustment") else chance.randint(1, 9999)
            sign = -1 if status == "credit" else 1
            quantity = sign * chance.randint(1, 9)
            country = chance.choice(["Germany", "France", "-"])
            product = f"P{chance.randrange(7)}" if item_type == "product" else item_type.upper()
            lines.append(
                f"{shop} {number} {line} {day} {customer} {product} {quantity} {sign * cents / 100:.2f} "
                f"{item_type} {line_type} {country} 0.50 {chance.choice(('1.20', '-'))} {chance.choice('0--')}"
            )
        reason = chance.choice(("late", "-")) if status == "cancelled" else "-"
        heads.append(f"{shop} {number} {day} {customer} {status} v{chance.randrange(60)} {reason} web")
    lines.append(f"s debt 0 {FIRST} - B 1 -1234.56 adjustment bad_debt Germany 0 - -")
    return lines, heads


def _scoped(read: Read, silver: Tables) -> DataFrame:
    rows = silver[read.table.name]
    return rows.where(read.where) if read.where else rows


def _read(step: Step, silver: Tables) -> DataFrame:
    """The rows of the first read that are not filtered."""
    rows = _scoped(step.reads[0], silver)
    for left_out in step.filters:
        rows = rows.where(~F.coalesce(F.expr(f"({left_out.drops})"), F.lit(False)))
    return rows


def _built(step: Step, silver: Tables) -> DataFrame:
    driver, *others = step.reads
    given = {driver.table.short_name: _read(step, silver)}
    given |= {other.table.short_name: _scoped(other, silver) for other in others}
    return step.build(**given)


WITHOUT_COUNTS = {
    shops.TABLE: "a row that counted lines would change with each, and all that joins it with it",
    revenue_drivers.TABLE: "a line is in the month itself, and in those that are compared with it",
    campaign_results.TABLE: "most orders are of no campaign",
}


@pytest.mark.parametrize(
    "step", [step for step in STEPS if step.table not in WITHOUT_COUNTS], ids=lambda step: step.table.name
)
def test_every_row_and_penny_that_was_read_is_in_the_table(step: Step, silver: Tables, built: Built) -> None:
    table, rows = step.table, _read(step, silver)
    assert table.counts is not None
    assert (table.amount is None) == (step.amount is None)
    # A table without money is accounted for by rows alone.
    into = built(step).agg(F.sum(table.counts), F.sum(table.amount or F.lit(0)))
    assert into.collect() == rows.agg(F.count("*"), F.sum(F.expr(step.amount or "0"))).collect()


@each_step
def test_rows_are_as_declared_and_keep_every_rule(step: Step, built: Built) -> None:
    rows = built(step)
    assert [(f.name, f.dataType) for f in rows.schema] == [(f.name, f.dataType) for f in step.table.schema]
    assert rows.select(F.explode(errors_of(step.table.row_rules))).collect() == []
    assert {rule.action for rule in step.table.row_rules} == {"fail"}


@each_step
def test_groups_built_alone_are_as_in_a_full_build(step: Step, silver: Tables, built: Built) -> None:
    assert step.recompute is not None
    groups = list(step.recompute)
    keys = sorted({tuple(row) for row in built(step).select(*groups).collect()}, key=str)
    some = F.broadcast(built(step).sparkSession.createDataFrame(keys[:: max(2, len(keys) // 7)], groups))
    limited = {}
    for read in step.reads:
        rows = silver[read.table.name]
        if read.joins:  # what joins the rows of the first read is given whole
            limited[read.table.name] = rows
            continue
        assert read.groups is not None
        assert list(read.groups) == groups
        changed = some.toDF(*(f"_{name}" for name in groups))
        on = [F.expr(sql).eqNullSafe(changed[f"_{name}"]) for name, sql in read.groups.items()]
        limited[read.table.name] = rows.join(changed, on, "left_semi")
    alike = built(step).join(some, groups, "left_semi").select(*step.table.all_columns)
    assertDataFrameEqual(_built(step, limited), alike)


# A wrong value in one column of one row, and the statement that must refuse it.
WRONG = {
    "gold.sales_daily": {
        "net_revenue": ("net_revenue + 0.01", "net_revenue.law"),
        "line_amount": ("line_amount - 0.01", "line_amount.law"),
        "fee_amount": ("fee_amount + 1", "charges_amount.law"),
        "cancelled_orders": ("orders + 1", "cancelled_orders.law"),
        "cancelled_amount": ("CAST(5 AS DECIMAL(18,2))", "cancelled_amount.between"),
    },
    "gold.sales_by_product": {"product_id": ("CAST(NULL AS STRING)", "product_id.not_null")},
    "gold.shops": {"currency": ("CAST(NULL AS STRING)", "currency.not_null")},
    "gold.sales_by_order": {
        "order_number": ("CAST(NULL AS INT)", "order_number.law"),
        "is_kept": ("NOT has_sale", "is_kept.law"),
        "costed_revenue": ("costed_revenue + 1", "margin.law"),
    },
    "gold.returns": {
        "outcome": ("'kept'", "kept.law"),
        "net_revenue": ("net_revenue + 1", "net_revenue.law"),
        "reason": ("CAST(NULL AS STRING)", "reason.not_null"),
    },
    "gold.revenue_drivers": {
        "unexplained": ("CAST(0.01 AS DECIMAL(19,3))", "unexplained.law"),
        "effect": ("effect + 1", "effect.law"),
    },
    "gold.products": {"name": ("CAST(NULL AS STRING)", "name.not_null"), "versions": ("0L", "versions.between")},
    "gold.customers": {"currency": ("'EUR'", "currency.law"), "first_order_on": ("CAST(NULL AS DATE)", "orders.law")},
    "gold.campaign_results": {
        "untold": ("CAST(NULL AS STRING)", "contribution.law"),
        "days": ("0", "days.between"),
    },
    "gold.experiment_results": {
        "reason": ("CASE WHEN reason IS NULL THEN 'none' END", "reason.law"),
        "converted_units": ("units + 1", "converted_units.law"),
        "conversion_low": ("2D", "interval.law"),
    },
    "gold.sessions": {"events": ("0L", "events.between"), "started_on": ("CAST(NULL AS DATE)", "started_on.not_null")},
    "gold.sales_by_country": {"gross_sales": ("CAST(-1 AS DECIMAL(18,2))", "gross_sales.between")},
    "gold.demand_daily": {
        "quantity": ("-1L", "quantity.between"),
        "orders": ("lines + 1", "orders.law"),
        "is_stockout": ("CAST(NULL AS BOOLEAN)", "is_stockout.not_null"),
    },
    "gold.demand_periods": {
        "frequency": ("'D'", "frequency.one_of"),
        "reports": ("-1L", "reports.between"),
    },
    "gold.customer_rfm": {
        "r_score": ("6", "r_score.between"),
        "rfm_score": ("CAST(NULL AS STRING)", "frequency.law"),
        "last_order_on": ("first_order_on - 1", "last_order_on.not_before_first_order_on"),
    },
    "gold.cohort_retention": {
        "retention": ("1.5D", "retention.between"),
        "active_customers": ("customers - 1", "first_month.law"),
    },
    "gold.interactions": {"orders": ("lines + 1", "orders.law"), "lines": ("0L", "lines.between")},
    "gold.kpi_daily": {"currency": ("CAST(NULL AS STRING)", "currency.law"), "sessions": ("-1L", "sessions.between")},
    "gold.stock_position": {
        "is_at_risk": ("false", "is_at_risk.law"),
        "days_of_cover": ("-1D", "days_of_cover.between"),
    },
}


@each_step
def test_the_gate_passes_good_rows_and_blocks_wrong_and_repeated_ones(
    step: Step, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.getbasetemp() / "gate"
    assert _refused(root, step.table, built(step)) == set()
    wrong = WRONG[step.table.name]
    bad = built(step).withColumns({column: F.expr(sql) for column, (sql, _) in wrong.items()})
    expected = {"key.unique", *(statement for _, statement in wrong.values())}
    assert expected <= _refused(root, step.table, bad.union(built(step)))


def _refused(root: Path, table: Table, rows: DataFrame) -> set[str]:
    counts = {"rows_accepted": 1, "rows_quarantined": 0}
    files = as_files(rows, root)
    findings = gate.check(root, table, files, counts, batch_id="a batch", unique_grain=True)
    return {finding.expectation for finding in findings if not finding.passed}
