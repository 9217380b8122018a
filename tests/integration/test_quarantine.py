"""Refused rows are kept as they came, can be looked at, corrected and delivered again on the same road."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobs import quarantine
from jobs.steps import ALL
from lakehouse.errors import UsageError
from lakehouse.run.options import choose
from tests.integration.conftest import Promoted
from tests.integration.warehouse import LINE_COLUMNS, content, done, refusals, rows, rules_of, run, versions


@pytest.fixture(autouse=True)
def _to_sales_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Order lines and what gold.sales_daily makes of them are enough to see a row come through."""
    monkeypatch.setattr(quarantine, "ALL", tuple(choose(ALL, "shop", "gold.sales_daily")))


def command(copied: Promoted, *arguments: str) -> int:
    return quarantine.main([*arguments, "--warehouse", str(copied.warehouse)])


def revenue(copied: Promoted) -> Decimal:
    return sum((row["line_amount"] for row in rows(copied.warehouse, "gold.sales_daily")), Decimal(0))


def waiting(copied: Promoted, rule: str) -> list[dict[str, Any]]:
    found = rows(copied.warehouse, "silver.order_lines__quarantine")
    return [row for row in found if rule in rules_of(row) and row["_resubmitted_at"] is None]


def test_what_waits_is_listed_by_table_and_rule(copied: Promoted, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = copied.dirt["order_lines"]["kinds"]
    assert command(copied, "list") == 0
    told = {(words[0], words[1]): int(words[2]) for line in _lines(capsys) if len(words := line.split()) > 4}
    broken = sum(kinds[name]["rows"] for name in ("truncated_line", "unclosed_quote"))
    assert sum(count for (table, _), count in told.items() if table == "bronze.shop_order_lines") == broken
    assert told["silver.order_lines", "product_id.known"] == kinds["unknown_product"]["rows"]
    assert told["silver.order_lines", "unit_price.sign"] == kinds["negative_price"]["rows"]
    assert told["silver.order_lines", "quantity.type"] == kinds["quantity_not_a_number"]["rows"]


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(("bronze.", "silver.", "gold."))]


def test_a_refused_row_is_shown_as_it_came_with_its_place_and_reasons(
    copied: Promoted, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(copied, "show", "silver.order_lines", "--rule", "product_id.known") == 0
    told = capsys.readouterr().out
    planted = copied.dirt["order_lines"]["kinds"]["unknown_product"]["places"]
    for place in planted:
        assert f"order_lines/{place['file']}:{place['line']}" in told
    assert told.count("product_id must be known in silver.products; it is P99999999") == len(planted)
    assert told.count('"product_id":"P99999999"') == len(planted)
    assert "quantity must be of type int" not in told


def test_lines_of_a_product_that_came_later_are_accepted_when_they_are_resubmitted(
    copied: Promoted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = copied.dirt["order_lines"]["kinds"]["unknown_product"]
    before, lines = revenue(copied), len(rows(copied.warehouse, "silver.order_lines"))
    product = next(row for row in rows(copied.warehouse, "bronze.shop_products") if row["product_id"] == "P00013")
    new = {name: value for name, value in product.items() if not name.startswith("_")} | {"product_id": "P99999999"}
    (tmp_path / "in" / "products").mkdir(parents=True)
    (tmp_path / "in" / "products" / "products_2024-01-21.json").write_text(json.dumps(new) + "\n")
    done(run(copied.lake, tmp_path / "in", table="silver.products"))
    assert revenue(copied) == before
    assert command(copied, "resubmit", "silver.order_lines", "--rule", "product_id.known") == 0
    assert f"{planted['rows']} rows of silver.order_lines were delivered again." in capsys.readouterr().out
    assert len(rows(copied.warehouse, "silver.order_lines")) == lines + planted["rows"]
    assert revenue(copied) == before + Decimal(planted["amount"])
    assert waiting(copied, "product_id.known") == []
    assert len(waiting(copied, "unit_price.sign")) == copied.dirt["order_lines"]["kinds"]["negative_price"]["rows"]
    now = versions(copied.warehouse)
    with pytest.raises(UsageError, match=r"silver\.order_lines: no row waits in quarantine for product_id\.known"):
        command(copied, "resubmit", "silver.order_lines", "--rule", "product_id.known")
    assert versions(copied.warehouse) == now


def test_a_column_is_corrected_on_the_way(copied: Promoted) -> None:
    refused = [json.loads(row["_row"]) for row in waiting(copied, "unit_price.sign")]
    before = revenue(copied)
    assert command(copied, "resubmit", "silver.order_lines", "--rule", "unit_price.sign", "--set", "unit_price=10") == 0
    expected = sum(int(row["quantity"]) * Decimal(10) - Decimal(row["discount"]) for row in refused)
    assert revenue(copied) == before + expected
    assert waiting(copied, "unit_price.sign") == []
    corrected = {(row["order_id"], row["line_no"]) for row in refused}
    found = [
        row for row in rows(copied.warehouse, "silver.order_lines") if (row["order_id"], row["line_id"]) in corrected
    ]
    assert {row["unit_price"] for row in found} == {Decimal(10)}
    assert len(found) == len(refused)


def test_what_is_resubmitted_uncorrected_is_refused_again_and_nothing_is_lost(copied: Promoted) -> None:
    before, lines = revenue(copied), content(copied.warehouse, "silver.order_lines")
    refused = waiting(copied, "unit_price.sign")
    assert command(copied, "resubmit", "silver.order_lines", "--rule", "unit_price.sign") == 0
    again = waiting(copied, "unit_price.sign")
    assert len(again) == len(refused)
    assert {row["_row_id"] for row in again}.isdisjoint(row["_row_id"] for row in refused)
    assert (revenue(copied), content(copied.warehouse, "silver.order_lines")) == (before, lines)


def test_broken_lines_of_bronze_are_delivered_again_in_a_corrected_file(copied: Promoted, tmp_path: Path) -> None:
    before, refused = revenue(copied), refusals(copied.warehouse, "bronze.shop_order_lines")
    corrected = tmp_path / "corrected.csv"
    made = [
        f"N2,{number},2024-01-20 08:00:00,C0000040,FR,P00013,1,10.00,0.00,EUR," for number in range(1, 1 + len(refused))
    ]
    corrected.write_text("\n".join([LINE_COLUMNS, *made, ""]))
    assert command(copied, "resubmit", "bronze.shop_order_lines", "--file", str(corrected)) == 0
    assert revenue(copied) == before + 10 * len(refused)
    quarantined = rows(copied.warehouse, "bronze.shop_order_lines__quarantine")
    assert len(quarantined) == len(refused)
    assert all(row["_resubmitted_at"] for row in quarantined)


def test_a_wrong_wish_is_told_what_would_be_right(copied: Promoted) -> None:
    with pytest.raises(UsageError, match=r"--set: bronze\.shop_order_lines has no column price; it has order_id, "):
        command(copied, "resubmit", "silver.order_lines", "--rule", "unit_price.sign", "--set", "price=1")
    with pytest.raises(UsageError, match=r"silver\.lines: unknown table; known tables: bronze\.shop_order_lines"):
        command(copied, "show", "silver.lines")
    with pytest.raises(UsageError, match="correct them in a file with a header, and resubmit that with --file"):
        command(copied, "resubmit", "bronze.shop_order_lines")
