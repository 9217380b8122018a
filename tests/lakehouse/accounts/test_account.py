"""An account balances to the row and to the penny, or it stops the job."""

import json
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse.accounts.account import Account, account_from
from lakehouse.accounts.journal import Journal
from lakehouse.accounts.ops_tables import ROW_LEDGER
from lakehouse.errors import AccountsImbalance

GOOD = Account(
    rows_read=10,
    rows_generated=1,
    rows_accepted=5,
    rows_quarantined=1,
    rows_duplicate=2,
    rows_filtered={"test_product": 1, "superseded": 1},
    rows_folded=1,
    rows_inserted=3,
    rows_updated=1,
    rows_unchanged=1,
    amount_read=Decimal("9.99"),
    amount_accepted=Decimal("8.00"),
    amount_quarantined=Decimal("-1.01"),
    amount_duplicate=Decimal("2.00"),
    amount_filtered={"test_product": Decimal("1.00")},
    amount_inserted=Decimal("6.00"),
    amount_updated=Decimal("1.50"),
    amount_unchanged=Decimal("0.50"),
)


def test_a_good_account_passes() -> None:
    GOOD.check_split("a step")
    GOOD.check_published("a step")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows_read": 11}, r"a step: the accounts do not balance: 12 rows is not 5 accepted \+ .*\(difference 1\)"),
        ({"rows_filtered": {}}, r"0 filtered \+ 1 folded \(difference 2\)"),
        ({"amount_read": Decimal("10.00")}, r"10\.00 amount is not 8\.00 accepted .*\(difference 0\.01\)"),
        ({"amount_filtered": {}}, r"\(difference 1\.00\)"),
    ],
)
def test_a_lost_row_or_penny_is_named(changed: dict[str, object], message: str) -> None:
    with pytest.raises(AccountsImbalance, match=message):
        replace(GOOD, **changed).check_split("a step")  # type: ignore[arg-type]  # the fields differ in type


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows_inserted": 4}, r"5 rows accepted is not 4 inserted \+ 1 updated \+ 1 unchanged \(difference -1\)"),
        ({"rows_unchanged": -1, "rows_inserted": 5}, "more rows were written than were accepted"),
        ({"amount_updated": Decimal("1.49")}, r"8\.00 amount accepted is not .*\(difference 0\.01\)"),
    ],
)
def test_what_was_written_is_what_was_accepted(changed: dict[str, object], message: str) -> None:
    with pytest.raises(AccountsImbalance, match=message):
        replace(GOOD, **changed).check_published("a step")  # type: ignore[arg-type]  # the fields differ in type


def test_a_table_without_money_has_only_rows() -> None:
    amounts = {name: None for name in asdict(GOOD) if name.startswith("amount_") and name != "amount_filtered"}
    without = replace(GOOD, amount_filtered={}, **amounts)  # type: ignore[arg-type]  # the fields differ in type
    without.check_split("a step")
    without.check_published("a step")


def test_a_journal_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "b1.json", "b1", "silver.orders", "silver.orders <- bronze.shop_orders")
    journal.notes = {"account": asdict(GOOD)}
    journal.add(ROW_LEDGER, {"batch_id": "b1", "amount_read": Decimal("9.99")})
    journal.save()
    found = Journal.load(journal.path)
    assert account_from(found.notes["account"]) == GOOD
    assert found.rows == {"ops.row_ledger": [{"batch_id": "b1", "amount_read": "9.99"}]}
    assert [path.name for path in tmp_path.iterdir()] == ["b1.json"]
    assert json.loads(journal.path.read_text())["state"] == "staged"


def test_the_ledger_has_a_column_for_everything_in_an_account() -> None:
    columns = {field.name for field in ROW_LEDGER.fields}
    assert set(asdict(GOOD)) <= columns
