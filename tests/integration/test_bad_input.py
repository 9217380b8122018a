"""Bad input gets one clear message with what, where and what to do; the other files go on."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

import gold
import silver
from jobs import run as run_job
from jobs.steps import ALL
from lakehouse.declare.table import MONEY, Step
from lakehouse.errors import SparkNotStarted
from lakehouse.run import command
from tests.integration.conftest import Promoted
from tests.integration.warehouse import LINE_COLUMNS, deliver_lines, lake_at, order_line, rows, run, versions

ROOT = Path(__file__).resolve().parents[2]
LINES_ALONE = ("--table", "bronze.shop_order_lines")


def ended(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, output and errors of the job, as its caller sees them."""
    code: object = 0
    try:
        command.guarded(run_job.main, [str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert isinstance(code, int)
    return code, told.out, told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--input", "IN/nowhere"), "--input IN/nowhere: there is no such folder; name the folder of the delivered"),
        (
            ("--input", "IN", "--source", "amazon"),
            "--source amazon: unknown source; known sources: movielens_100k, online_retail, shop, "
            "stallion_beverages, walmart_weekly",
        ),
        (("--input", "IN", "--table", "gold.sales"), "--table gold.sales: unknown table here; known tables: bronze."),
        (("--input", "IN", "--env", "mars"), "--env mars: there is no mars.yaml in "),
        (("--input", "IN", "--source", "online_retail"), "--input IN: no file there belongs to a known feed; expected"),
        (("--input", "IN/order_lines"), "; did you mean IN/order_lines/..?"),
        (("--input", "IN/.."), "; did you mean IN/../IN_NAME?"),
        (
            ("--input", "MISTYPED"),
            "; order_lines/order_line_1.csv belongs to no feed; did you mean order_lines/order_lines_*.csv?",
        ),
        (("--input", "IN", "--warehouse", "IN/order_lines/order_lines_2024-01-21.csv/w"), "cannot write there (Not a"),
    ],
)
def test_a_wrong_option_is_one_message_and_exit_code_2(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str],
    message: str,
) -> None:
    mistyped = tmp_path / "elsewhere" / "mistyped"
    (mistyped / "order_lines").mkdir(parents=True)
    (mistyped / "order_lines" / "order_line_1.csv").touch()
    inputs = deliver_lines(tmp_path / "in", order_line(1))
    places = {"MISTYPED": str(mistyped), "IN_NAME": inputs.name, "IN": str(inputs)}

    def placed(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    given = [placed(argument) for argument in arguments]
    if "--warehouse" not in given:
        given += ["--warehouse", str(tmp_path / "warehouse")]
    code, out, err = ended(capsys, *given)
    assert (code, out) == (2, "")
    assert placed(message) in err
    assert err.count("\n") == 1
    assert not (tmp_path / "warehouse" / "bronze").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-m", "jobs.run", "--input", "nowhere"), "error: --input nowhere: there is no such folder;"),
        (("-m", "jobs.cli", "run", "--input", "nowhere"), "error: --input nowhere: there is no such folder;"),
        (("jobs/run.py", "--source", "shop"), "run.py: Missing option '--input'; see run.py --help"),
    ],
)
def test_a_wrong_command_ends_with_one_line_and_exit_code_2(arguments: Sequence[str], message: str) -> None:
    found = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert found.stderr.count("\n") == 1


def test_files_that_cannot_be_read_are_told_one_by_one_and_the_others_go_on(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = deliver_lines(tmp_path / "in", order_line(1), order_line(2)) / "order_lines"
    text = "\n".join([LINE_COLUMNS, order_line(3), ""])
    bad = {
        "order_lines_1.csv": b"",
        "order_lines_2.csv": text.replace(LINE_COLUMNS, "a,b,c").encode(),
        "order_lines_3.csv": text.replace(",unit_price", "").replace(",10.00", "").encode(),
        "order_lines_4.csv.gz": gzip.compress(text.encode())[:-20],
        "order_lines_5.csv": text.replace("C0000040", "Käufer für").encode().replace(b"f\xc3\xbc", b"f\xfc"),
    }
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    warehouse = tmp_path / "warehouse"
    code, out, err = ended(capsys, "--input", tmp_path / "in", "--warehouse", warehouse, *LINES_ALONE)
    told = dict(enumerate((line for line in out.splitlines() if line.startswith("unreadable: ")), 1))
    assert (code, err) == (1, "")
    assert len(told) == len(bad)
    assert "order_lines_1.csv is empty; ask its sender to deliver it again" in told[1]
    assert "order_lines_2.csv lacks the columns order_id, line_no, " in told[2]
    assert "order_lines_3.csv lacks the columns unit_price; its header has: " in told[3]
    assert "order_lines_4.csv.gz: the gzip data ends too early, the file was cut off; deliver it again" in told[4]
    assert "order_lines_5.csv is not utf-8 text: byte " in told[5]
    assert "in line 2, cannot be read;" in told[5]
    assert [row["line_no"] for row in rows(warehouse, "bronze.shop_order_lines")] == ["1", "2"]
    status = {row["file"]: row["status"] for row in rows(warehouse, "ops.files")}
    assert sorted(status.values()) == ["loaded", *["unreadable"] * len(bad)]
    (noted,) = rows(warehouse, "ops.runs")
    assert noted["exit_code"] == 1
    again = ended(capsys, "--input", tmp_path / "in", "--warehouse", warehouse, *LINES_ALONE)
    assert again[0] == 1, "what cannot be read is told again until it is taken away or delivered again"
    assert again[1].count("unreadable: ") == len(bad)
    for name in bad:
        (folder / name).unlink()
    assert ended(capsys, "--input", tmp_path / "in", "--warehouse", warehouse, *LINES_ALONE)[0] == 0


def test_what_lies_in_the_input_folder_and_belongs_to_no_feed_is_told_and_is_no_error(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, warehouse = deliver_lines(tmp_path / "in", order_line(1)), tmp_path / "warehouse"
    for name in ("order_line_2024-01-22.csv", "order_lines_2024-01-22.csv.part", ".order_lines_2024-01-23.csv.swp"):
        (inputs / "order_lines" / name).write_text("a")
    for name in ("payments/payments_1.csv", "online_retail_1.csv", "truth/dirt.json"):
        (inputs / name).parent.mkdir(exist_ok=True)
        (inputs / name).write_text("of another feed")
    (inputs / "ORDER_LINES").mkdir()
    (inputs / "ORDER_LINES" / "ORDER_LINES_2024-01-24.CSV").write_text(f"{LINE_COLUMNS}\n{order_line(2)}\n")
    arguments = ("--input", inputs, "--warehouse", warehouse, *LINES_ALONE)
    code, out, err = ended(capsys, *arguments)
    assert (code, err) == (0, "")
    said = [
        "order_lines/order_line_2024-01-22.csv belongs to no feed; did you mean order_lines/order_lines_*.csv?",
        "order_lines/order_lines_2024-01-22.csv.part is still being uploaded; it is taken once it has its final name",
    ]
    assert [line for line in out.splitlines() if "not taken: " in line] == [f"not taken: {text}" for text in said]
    assert "Files: 2 loaded." in out
    assert sorted(row["line_no"] for row in rows(warehouse, "bronze.shop_order_lines")) == ["1", "2"]
    noted = [row for row in rows(warehouse, "ops.files") if row["status"] == "not taken"]
    assert sorted(row["message"] for row in noted) == said
    assert {(row["table"], row["step"], row["file_id"], row["size_bytes"], row["lines"]) for row in noted} == {
        (None, None, "", 1, None)
    }
    before = versions(warehouse)
    code, out, _ = ended(capsys, *arguments)
    assert (code, out.count("not taken: ")) == (0, 2)
    assert versions(warehouse) == before, "what is on record is told again and not noted again"
    (inputs / "order_lines" / "order_line_2024-01-22.csv").write_text(f"{LINE_COLUMNS}\n{order_line(3)}\n")
    (inputs / "order_lines" / "order_line_2024-01-22.csv").rename(inputs / "order_lines" / "order_lines_2024-01-22.csv")
    assert ended(capsys, *arguments)[1].count("not taken: ") == 1
    assert len(rows(warehouse, "bronze.shop_order_lines")) == 3


def test_files_that_are_not_as_declared_are_read_and_the_summary_says_how(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, warehouse = tmp_path / "in" / "order_lines", tmp_path / "warehouse"
    folder.mkdir(parents=True)
    text = [f"{LINE_COLUMNS}\n{order_line(number)}\n" for number in range(5)]
    (folder / "order_lines_0.csv").write_text(text[0].replace("C0000040", "Käufer"), encoding="latin-1")
    (folder / "order_lines_1.csv").write_text(text[1].upper().replace("ORDER_ID", "Order ID"), encoding="utf-16")
    (folder / "order_lines_2.csv").write_text("sep=;\n" + text[2].replace(",", ";"))
    (folder / "order_lines_3.csv").write_text(text[3].replace(LINE_COLUMNS, LINE_COLUMNS[:-13]))
    (folder / "order_lines_4.csv").write_text(f"{LINE_COLUMNS}\n")
    (folder / "order_lines_5.csv").write_text(text[4].replace("P00013", '"P\n00013"'))
    code, out, _ = ended(capsys, "--input", tmp_path / "in", "--warehouse", warehouse, *LINES_ALONE)
    assert code == 1, "a header that lacks a column is an error still"
    files = {row["file"]: row for row in rows(warehouse, "ops.files")}
    told = [files[f"order_lines/order_lines_{number}.csv"]["message"] for number in range(6)]
    assert [line[6:] for line in out.splitlines() if line.startswith("note: ")] == [told[n] for n in (0, 1, 2, 4)]
    assert "is not utf-8 text (byte 136, in line 2) and was read as cp1252" in told[0]
    assert "was read as utf-16-le" in told[1]
    assert "names in its header were taken for others: Order ID for order_id, LINE_NO for line_no" in told[1]
    assert "was read with ';' as delimiter, not ','" in told[2]
    assert "lacks the columns promotion_id" in told[3]
    assert told[4] == "order_lines/order_lines_4.csv has a header and no record"
    assert told[5] == ""
    delivered = rows(warehouse, "bronze.shop_order_lines")
    assert sorted((row["line_no"], row["customer_id"], row["product_id"]) for row in delivered) == [
        ("0", "Käufer", "P00013"),
        ("1", "C0000040", "P00013"),
        ("2", "C0000040", "P00013"),
        ("4", "C0000040", "P\n00013"),
    ]
    assert rows(warehouse, "bronze.shop_order_lines__quarantine") == []
    assert "5 loaded, 1 unreadable" in out or "1 unreadable, 5 loaded" in out


def test_a_file_that_can_be_read_since_its_feed_was_corrected_is_loaded_and_accounted_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse"
    inputs = deliver_lines(tmp_path / "in", order_line(1))
    step = next(s for s in ALL if s.table.name == LINES_ALONE[1])
    narrow = replace(step.feed, columns=step.feed.columns | {"order_id": ("order_number",)})
    assert run(lake_at(spark, warehouse), inputs, steps=[replace(step, feed=narrow)]).exit_code == 1
    for _ in range(2):
        assert run(lake_at(spark, warehouse), inputs, steps=[step]).exit_code == 0
    assert sorted(row["status"] for row in rows(warehouse, "ops.files")) == ["loaded", "unreadable"]
    assert len(rows(warehouse, "bronze.shop_order_lines")) == 1


def test_a_blocked_gate_is_told_on_the_screen_and_ends_with_exit_code_3(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = deliver_lines(tmp_path / "in", *(order_line(n) for n in range(9)), *["cut"] * 11)
    (file,) = (inputs / "order_lines").iterdir()
    file.write_text(file.read_text().replace(",", ";"))
    code, out, _ = ended(capsys, "--input", inputs, "--warehouse", tmp_path / "warehouse", *LINES_ALONE)
    assert code == 3
    assert f"note: order_lines/{file.name} was read with ';' as delimiter, not ','" in out
    assert "error: bronze.shop_order_lines: the gate refused a batch of 20 rows; nothing was published" in out
    assert "11 of 20 rows rejected" in out
    assert out.count("for example order_lines/order_lines_2024-01-21.csv:") == 5
    assert rows(tmp_path / "warehouse", "bronze.shop_order_lines") == []


# --- accounts that do not balance, and what nobody expected -----------------------------------------------------------

PAYMENTS = next(step for step in silver.STEPS if step.table.name == "silver.payments")
SALES = next(step for step in gold.STEPS if step.table.name == "gold.sales_daily")


def twice(rows: DataFrame) -> DataFrame:
    return rows.withColumn("copy", F.explode(F.array(F.lit(1), F.lit(2))))


def delivered_twice(shop_payments: DataFrame) -> DataFrame:
    return PAYMENTS.build(shop_payments=twice(shop_payments)).drop("copy")


def half_lost(shop_payments: DataFrame) -> DataFrame:
    return PAYMENTS.build(shop_payments=shop_payments.where("payment_id LIKE '%-1'").limit(100))


def a_penny_more(shop_payments: DataFrame) -> DataFrame:
    return PAYMENTS.build(shop_payments=shop_payments).withColumn("amount", _more(F.col("amount")))


def _more(amount: Column) -> Column:
    return (amount + F.lit("0.01").cast("decimal(18,2)")).cast(MONEY)


def days_twice(order_lines: DataFrame, **others: DataFrame) -> DataFrame:
    return SALES.build(order_lines=twice(order_lines).drop("copy"), **others)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (replace(PAYMENTS, build=delivered_twice), "the accounts do not balance: "),
        (replace(PAYMENTS, build=half_lost), "the accounts do not balance: "),
        (replace(PAYMENTS, build=a_penny_more), "amount is not "),
        (replace(SALES, build=days_twice), "a join in the build multiplies or loses rows"),
    ],
    ids=["rows twice", "rows lost", "a penny more", "a join that multiplies"],
)
def test_accounts_that_do_not_balance_publish_nothing_and_end_with_exit_code_4(
    copied: Promoted, step: Step, said: str
) -> None:
    before = versions(copied.warehouse)
    report = run(copied.lake, copied.shop.output, steps=[step], full=True)
    assert report.exit_code == 4
    assert said in report.errors[0][1]
    after = versions(copied.warehouse)
    assert {name for name in after if after[name] != before[name]} == {"ops.runs"}


def test_where_spark_does_not_start_a_run_ends_with_one_message(promoted: Promoted, tmp_path: Path) -> None:
    def start() -> SparkSession:
        raise SparkNotStarted("Spark did not start: no Java")

    lake = replace(lake_at(promoted.lake.spark, tmp_path / "lake"), start=start)
    with pytest.raises(SparkNotStarted, match="no Java"):
        run(lake, promoted.shop.output)
    assert versions(lake.warehouse) == {}


def test_what_nobody_expected_is_one_message_with_its_details_in_a_file(promoted: Promoted, tmp_path: Path) -> None:
    def broken(shop_payments: DataFrame) -> DataFrame:
        return shop_payments.select("no_such_column")

    lake = lake_at(promoted.lake.spark, tmp_path / "warehouse")
    inputs = deliver_lines(tmp_path / "in", order_line(1))
    payments = inputs / "payments" / "payments_2024-01-21.csv"
    payments.parent.mkdir()
    payments.write_text(
        "payment_id,order_id,paid_at,method,amount,currency,status\nP1,N1,2024-01-21,card,1,EUR,captured\n"
    )
    steps = [s for s in ALL if s.table.name in ("bronze.shop_payments", "bronze.shop_order_lines")]
    report = run(lake, inputs, steps=[steps[1], replace(PAYMENTS, build=broken), steps[0]])
    assert report.exit_code == 1
    assert len(report.published) == 2
    (error,) = report.errors
    assert "silver.payments <- bronze.shop_payments: unexpected: " in error[1]
    assert "\n" not in error[1]
    log = Path(error[1].split("the details are in ")[1])
    assert "no_such_column" in log.read_text()
