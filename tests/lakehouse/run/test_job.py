"""Which steps a job runs, what it says, and the exit code that it ends with."""

import io
import logging
import re

import pytest
from rich.console import Console

from jobs.steps import ALL
from lakehouse.errors import AccountsImbalance, GateBlocked, LakehouseError, LockTimeout, UsageError
from lakehouse.intake.files import FileReport
from lakehouse.promotion.promote import Promotion
from lakehouse.run.command import guarded
from lakehouse.run.console import working
from lakehouse.run.options import choose
from lakehouse.run.runner import Report

STEP = ALL[0]


def tables(source: str | None, table: str | None) -> set[str]:
    return {step.table.name for step in choose(ALL, source, table)}


def test_a_table_comes_with_all_that_it_is_made_from() -> None:
    assert tables("shop", "gold.sales_daily") == {
        "bronze.shop_orders",
        "bronze.shop_order_lines",
        "bronze.shop_products",
        "silver.products",
        "silver.order_lines",
        "silver.orders",
        "gold.shops",
        "gold.sales_daily",
    }


def test_a_table_comes_with_what_its_keys_refer_to() -> None:
    assert "silver.products" in tables("online_retail", "silver.order_lines")


def test_a_source_comes_with_the_steps_that_belong_to_no_source() -> None:
    chosen = choose(ALL, "online_retail")
    assert {step.source for step in chosen} == {"online_retail", None}
    assert choose(ALL) == list(ALL)


def test_every_step_comes_after_what_it_reads() -> None:
    for place, step in enumerate(ALL):
        later = {other.table.name for other in ALL[place + 1 :] if other.table.name != step.table.name}
        needs = {read.table.name for read in step.reads}
        needs |= {rule.reference.name for rule in step.table.row_rules if rule.reference}
        assert needs.isdisjoint(later), step.name


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([], 0), ([1], 1), ([1, 2], 2), ([2, 3, 1], 3), ([3, 4], 4), ([4, 1], 4)],
)
def test_the_gravest_error_is_the_exit_code(codes: list[int], expected: int) -> None:
    assert Report(errors=[(STEP, "", code) for code in codes]).exit_code == expected


def test_a_file_that_could_not_be_read_is_no_success() -> None:
    unreadable = FileReport("a.csv", "", 0, "unreadable", "a.csv is empty")
    assert Report(promotions=[Promotion(STEP, files=(unreadable,))]).exit_code == 1


def test_what_is_said_of_files_is_kept_where_the_gate_blocks_their_batch() -> None:
    noted = FileReport("a.csv", "1", 9, "loaded", "a.csv was read with ';' as delimiter, not ','")
    unreadable = FileReport("b.csv", "", 0, "unreadable", "b.csv is empty")
    report = Report(errors=[(STEP, "blocked", 3)], blocked=[noted, unreadable])
    assert report.notes == [noted.message]
    assert report.unreadable == [unreadable.message]
    assert report.exit_code == 3


@pytest.mark.parametrize(
    ("error", "code"),
    [(LakehouseError, 1), (LockTimeout, 1), (UsageError, 2), (GateBlocked, 3), (AccountsImbalance, 4)],
)
def test_an_error_of_ours_is_one_message_and_an_exit_code(
    error: type[LakehouseError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(_: object) -> int:
        raise error("what, where, what to do")

    with pytest.raises(SystemExit) as end:
        guarded(main)
    assert end.value.code == code
    assert capsys.readouterr().err == "error: what, where, what to do\n"


def test_a_job_that_is_done_asks_for_no_exit() -> None:
    guarded(lambda _: 0)  # any exit, of 0 too, would be an exception to who calls it


@pytest.mark.parametrize("terminal", [True, False])
def test_a_warning_stays_while_stages_may_go(terminal: bool) -> None:
    said = io.StringIO()
    with working(Console(file=said, force_terminal=terminal, width=120), "training"):
        logging.getLogger("shoplake").info("origin 1 of 4")
        logging.getLogger("shoplake").warning("price: no values after 2024-01-19")
        logging.getLogger("another").warning("none of ours")
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.getvalue())
    assert "  price: no values after 2024-01-19\n" in lines
    assert ("  origin 1 of 4\n" in lines) != terminal
    assert "none of ours" not in lines
