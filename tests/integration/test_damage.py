"""Damage of any file is found at the next run, told in one message, and healed or left to be healed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from pyspark.sql import SparkSession

from jobs import files as files_job
from jobs.steps import ALL
from lakehouse.errors import TableDamaged, UsageError
from lakehouse.promotion import promote
from lakehouse.run import runner
from lakehouse.run.options import choose
from lakehouse.run.runner import Report
from lakehouse.store import arrow
from lakehouse.store.lake import Lake
from silver import payments
from tests.integration.warehouse import (
    accounts,
    content,
    differences,
    done,
    flipped,
    lake_at,
    refusals,
    rows,
    run,
)

ROOT = Path(__file__).resolve().parents[2]
STEPS = choose(ALL, "shop", "silver.payments")
BRONZE, SILVER = "bronze.shop_payments", "silver.payments"
COUNTS = ("rows_read", "rows_accepted", "rows_quarantined", "rows_inserted", "rows_updated", "amount_accepted")


def deliver_payments(folder: Path, *days: int) -> Path:
    """A file of four payments for each day, of which silver refuses one; a line of each is blank."""
    target = folder / "payments"
    target.mkdir(parents=True, exist_ok=True)
    for day in days:
        lines = [
            "payment_id,order_id,paid_at,method,amount,currency,status",
            f"P{day}-1,N{day},2024-01-{day:02} 08:00:00,card,10.00,EUR,captured",
            f"P{day}-2,N{day},2024-01-{day:02} 09:00:00,card,{day}.50,EUR,captured",
            "",
            f"P{day}-3,N{day},2024-01-{day:02} 10:00:00,shells,7.00,EUR,captured",
            f"P{day}-4,N{day},2024-01-{day:02} 11:00:00,card,-3.00,EUR,refunded",
        ]
        (target / f"payments_2024-01-{day:02}.csv").write_text("\n".join([*lines, ""]))
    return folder


@pytest.fixture(scope="module")
def base(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse that two days of payments were taken into, one after the other, and its input folder."""
    root = tmp_path_factory.mktemp("damage")
    lake = lake_at(spark, root / "warehouse")
    for day in (1, 2):
        done(run(lake, deliver_payments(root / "in", day), steps=STEPS))
    return root


class Shop:
    """A copy of the warehouse, its input folder, and all that its runs say."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.said: list[str] = []
        self.warehouse, self.inputs = folder / "warehouse", folder / "in"
        self.lake: Lake = lake_at(spark, self.warehouse, say=self.said.append)

    def run(self, *, full: bool = False) -> Report:
        return run(self.lake, self.inputs, steps=STEPS, full=full)

    def log(self, table: str) -> list[Path]:
        return sorted(self.warehouse.joinpath(*table.split("."), "_delta_log").glob("*.json"))


@pytest.fixture
def shop(spark: SparkSession, base: Path, tmp_path: Path) -> Iterator[Shop]:
    shutil.copytree(base, tmp_path / "copied")
    yield Shop(spark, tmp_path / "copied")
    shutil.rmtree(tmp_path / "copied")


@pytest.fixture(scope="module")
def undisturbed(spark: SparkSession, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The warehouse after a third day to which nothing happened."""
    folder = tmp_path_factory.mktemp("undisturbed") / "copied"
    shutil.copytree(base, folder)
    found = Shop(spark, folder)
    deliver_payments(found.inputs, 3)
    done(found.run())
    return found


def counts(warehouse: Path) -> list[tuple[object, ...]]:
    """What the ledger says of each batch; nothing where an account does not balance."""
    found = accounts(warehouse)
    assert [row for row in found if any(differences(row).values())] == []
    return sorted((row["table"], *(row[name] for name in COUNTS)) for row in found)


def same(shop: Shop, expected: Shop) -> None:
    """Every row, refusal and account is there, once."""
    for table in (BRONZE, SILVER):
        assert content(shop.warehouse, table) == content(expected.warehouse, table)
        assert refusals(shop.warehouse, table) == refusals(expected.warehouse, table)
    assert counts(shop.warehouse) == counts(expected.warehouse)
    for table, names in {
        "ops.lineage": ("table", "source_table", "from_version", "until_version", "target_version"),
        "ops.files": ("file", "file_id", "status", "lines", "blank_lines"),
    }.items():
        found, wanted = (
            sorted((tuple(row[name] for name in names) for row in rows(each.warehouse, table)), key=str)
            for each in (shop, expected)
        )
        assert found == wanted, table


# --- journals ---------------------------------------------------------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda text: text[: len(text) // 2],
    "zeros": lambda text: b"\0" * len(text),
    "another shape": lambda _: b'{"a": 1}',
}


class Killed(BaseException):
    """A run ends here, as if it were killed: nobody catches it."""


def stopped(shop: Shop, monkeypatch: pytest.MonkeyPatch, after: str) -> Path:
    """Take all into bronze, and end silver's promotion after a part of it; returns its journal."""
    done(run(shop.lake, shop.inputs, steps=STEPS[:-1]))
    part = getattr(promote, after)

    def last(*arguments: object, **options: object) -> None:
        part(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(promote, after, last)
        patched.setattr(runner, "flush", lambda _: None)  # a run that is killed does not come to it
        with pytest.raises(Killed):
            run(shop.lake, shop.inputs, steps=STEPS[-1:])
    found = [path for path in (shop.warehouse / "ops" / "_journal").glob("*.json") if is_of(path, SILVER)]
    (journal,) = found
    return journal


def is_of(journal: Path, table: str) -> bool:
    found: bool = json.loads(journal.read_text())["table"] == table
    return found


@pytest.mark.parametrize(
    ("after", "damage"),
    [("_note_batch", "empty"), ("_finalize", "empty"), *(("_publish", damage) for damage in DAMAGES)],
)
def test_a_batch_whose_journal_is_damaged_is_accounted_for_all_the_same(
    shop: Shop, undisturbed: Shop, monkeypatch: pytest.MonkeyPatch, after: str, damage: str
) -> None:
    deliver_payments(shop.inputs, 3)
    journal = stopped(shop, monkeypatch, after)
    batch = journal.stem
    journal.write_bytes(DAMAGES[damage](journal.read_bytes()))
    done(shop.run())
    same(shop, undisturbed)
    (told,) = [text for text in shop.said if f"{journal.name} is damaged" in text]
    assert "moved to ops/_journal/broken" in told
    rebuilt = {row["batch_id"] for row in accounts(shop.warehouse) if row["is_rebuilt"]}
    assert rebuilt == (set() if after == "_note_batch" else {batch})
    done(shop.run())
    same(shop, undisturbed)


def test_a_batch_whose_journal_is_gone_is_accounted_for_all_the_same(
    shop: Shop, undisturbed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver_payments(shop.inputs, 3)
    journal = stopped(shop, monkeypatch, "_publish")
    journal.unlink()
    done(shop.run())
    same(shop, undisturbed)
    assert [row["batch_id"] for row in accounts(shop.warehouse) if row["is_rebuilt"]] == [journal.stem]


# --- the log of a table -----------------------------------------------------------------------------------------------


def gone(path: Path) -> None:
    path.unlink()


def to(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(content(path.read_bytes()))

    return change


LOG_DAMAGES: dict[str, Callable[[Path], None]] = {
    "gone": gone,
    "empty": to(lambda _: b""),
    "zeros": to(lambda text: b"\0" * len(text)),
    "cut": to(lambda text: text[: len(text) // 2]),
    "cut after its first line": to(lambda text: text.splitlines(keepends=True)[0]),
    "the whole log gone": lambda path: shutil.rmtree(path.parent),
}


@pytest.mark.parametrize("damage", LOG_DAMAGES)
def test_a_table_whose_newest_commit_is_damaged_is_not_read_over(shop: Shop, undisturbed: Shop, damage: str) -> None:
    newest = shop.log(SILVER)[-1]
    whole = shop.lake.path(SILVER) + "-whole"
    shutil.copytree(shop.lake.path(SILVER), whole)
    LOG_DAMAGES[damage](newest)
    deliver_payments(shop.inputs, 3)
    report = shop.run()
    assert report.exit_code == 1
    (error,) = report.errors
    assert error[1].startswith("silver.payments: ")
    assert "version 1" in error[1] or newest.name in error[1]
    assert error[1].endswith(
        f"Restore it from a backup, or remove {shop.lake.path(SILVER)} and build all of it again: shoplake run --full"
    )
    assert "\n" not in error[1]
    assert len(shop.run().errors) == 1, "it is told until it is mended"
    shutil.rmtree(shop.lake.path(SILVER))
    shutil.copytree(whole, shop.lake.path(SILVER))
    done(shop.run())
    same(shop, undisturbed)


def test_a_table_that_was_removed_is_built_again_with_full_alone(shop: Shop, undisturbed: Shop) -> None:
    shutil.rmtree(shop.lake.path(SILVER))
    deliver_payments(shop.inputs, 3)
    assert "silver.payments: its log is gone, but version 1 was there" in shop.run().errors[0][1]
    done(shop.run(full=True))
    assert content(shop.warehouse, SILVER) == content(undisturbed.warehouse, SILVER)
    assert refusals(shop.warehouse, SILVER) == refusals(undisturbed.warehouse, SILVER)
    assert shop.run().published == []


def test_a_commit_that_is_missing_in_between_is_told(shop: Shop) -> None:
    first = shop.log(SILVER)[0]
    first.unlink()
    assert f"1 versions are missing in {first.parent}: 0" in shop.run().errors[0][1]


def test_what_a_reader_has_consumed_is_missed_where_nothing_was_written_down(shop: Shop) -> None:
    shutil.rmtree(shop.warehouse / "ops" / "_versions")
    shop.log(BRONZE)[-1].unlink()
    report = run(shop.lake, shop.inputs, steps=STEPS[-1:])
    assert "bronze.shop_payments: its log ends at version 0, but version 1 was there" in report.errors[0][1]


@pytest.mark.parametrize("damage", ["gone", "zeros"])
def test_a_damaged_ledger_stops_the_run_before_anything_is_loaded(shop: Shop, damage: str) -> None:
    LOG_DAMAGES[damage](shop.log("ops.row_ledger")[-1])
    deliver_payments(shop.inputs, 3)
    with pytest.raises(TableDamaged, match=r"^ops\.row_ledger: .* or go on without what it told"):
        shop.run()
    assert len(rows(shop.warehouse, BRONZE)) == 8
    shutil.rmtree(shop.lake.path("ops.row_ledger"))
    (shop.warehouse / "ops" / "_versions" / "ops.row_ledger.json").unlink()
    assert len(done(shop.run()).published) == 2
    assert {row["rows_read"] for row in accounts(shop.warehouse)} == {4, 5}


# --- which files were taken in ----------------------------------------------------------------------------------------


def rebuild(shop: Shop, *arguments: str, code: int = 0) -> None:
    assert files_job.main(["rebuild", "--warehouse", str(shop.warehouse), *arguments]) == code


def without_witness(shop: Shop) -> None:
    shutil.rmtree(shop.warehouse / "ops" / "_versions")


def of_before(shop: Shop) -> None:
    """Bronze as it was when commits did not say which files they brought."""
    without_witness(shop)
    for path in shop.log(BRONZE):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                told = json.loads(action["commitInfo"]["userMetadata"])
                kept = {name: told[name] for name in ("batch_id", "run_id", "step", "progress")}
                action["commitInfo"]["userMetadata"] = json.dumps(kept)
        path.write_text("".join(json.dumps(action) + "\n" for action in actions))
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)


FILES_DAMAGES: dict[str, Callable[[Shop], None]] = {
    "gone": lambda shop: shutil.rmtree(shop.lake.path("ops.files")),
    "newest commit gone": lambda shop: shop.log("ops.files")[-1].unlink(),
    "newest commit cut": lambda shop: to(lambda text: text[:40])(shop.log("ops.files")[-1]),
}


@pytest.mark.parametrize("before", [None, without_witness, of_before], ids=["", "no witness", "of before"])
@pytest.mark.parametrize("damage", FILES_DAMAGES)
def test_where_ops_files_is_damaged_no_file_is_loaded_twice_and_it_is_rebuilt(
    shop: Shop, undisturbed: Shop, damage: str, before: Callable[[Shop], None] | None
) -> None:
    if before:
        before(shop)
    FILES_DAMAGES[damage](shop)
    deliver_payments(shop.inputs, 3)
    try:
        report = shop.run()
        assert report.exit_code == 1
        told = report.errors[0][1]
    except TableDamaged as error:
        told = str(error)
    assert told.startswith("ops.files: ")
    assert told.endswith("or write it again from bronze: shoplake files rebuild")
    assert len(rows(shop.warehouse, BRONZE)) == 8
    rebuild(shop, *(("--input", str(shop.inputs)) if before is of_before else ()))
    done(shop.run())
    for table in (BRONZE, SILVER):
        assert content(shop.warehouse, table) == content(undisturbed.warehouse, table)
    loaded = [sorted((r["file"], r["file_id"]) for r in rows(s.warehouse, "ops.files")) for s in (shop, undisturbed)]
    assert loaded[0] == loaded[1]
    assert shop.run().published == []


def test_where_bronze_was_removed_its_files_are_loaded_again(
    shop: Shop, undisturbed: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(shop.lake.path(BRONZE))
    deliver_payments(shop.inputs, 3)
    (error,) = shop.run().errors
    assert "bronze.shop_payments: its log is gone, but version 1 was there" in error[1]
    assert f"remove {shop.lake.path(BRONZE)}, then: shoplake files rebuild, and shoplake run --full" in error[1]
    assert "would not be loaded again" in shop.run(full=True).errors[0][1], "what is missing is not forgotten"
    rebuild(shop)
    assert "0 loaded files were missing and are written again; 2 are no longer in bronze" in capsys.readouterr().out
    done(shop.run(full=True))
    for table in (BRONZE, SILVER):
        assert content(shop.warehouse, table) == content(undisturbed.warehouse, table)
    assert shop.run().published == []


def test_files_whose_content_nobody_knows_are_asked_for(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    of_before(shop)
    FILES_DAMAGES["gone"](shop)
    with pytest.raises(UsageError, match="bronze holds 2 files whose content no commit names, such as payments/"):
        rebuild(shop)
    (shop.inputs / "payments" / "payments_2024-01-01.csv").unlink()
    rebuild(shop, "--input", str(shop.inputs))
    assert "1 files are not in " in capsys.readouterr().out
    assert done(shop.run()).published == []
    files_job.main(["list", "--warehouse", str(shop.warehouse)])
    assert capsys.readouterr().out.count("payments/payments_2024-01-0") == 2


# --- Java goes on where Python was killed -----------------------------------------------------------------------------


class Orphan:
    """A Java that stands still in the middle of the commit of a batch, its Python killed."""

    def __init__(self, warehouse: Path, inputs: Path) -> None:
        command = [sys.executable, "-m", "tests.integration.killed_commit", str(warehouse), str(inputs), BRONZE]
        python = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert python.stdout is not None
        self.pid = int(python.stdout.readline())
        assert python.wait(timeout=300) == -signal.SIGKILL
        python.stdout.close()

    def goes_on(self) -> None:
        """Let it come to its end."""
        os.kill(self.pid, signal.SIGCONT)
        for _ in range(600):
            stat = Path(f"/proc/{self.pid}/stat")
            if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return
            time.sleep(0.1)
        raise AssertionError("Java does not end")


@pytest.fixture
def orphan(shop: Shop) -> Iterator[Orphan]:
    deliver_payments(shop.inputs, 3)
    found = Orphan(shop.warehouse, shop.inputs)
    yield found
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.pid, signal.SIGKILL)


def test_a_commit_that_comes_after_the_next_run_has_healed_it_is_refused(
    shop: Shop, orphan: Orphan, undisturbed: Shop
) -> None:
    done(shop.run())
    orphan.goes_on()
    assert [path.name[18:] for path in shop.log(BRONZE)] == ["00.json", "01.json", "02.json"], "it was loaded twice"
    same(shop, undisturbed)


def test_a_commit_that_comes_while_the_next_run_makes_the_same_batch_is_the_only_one(
    shop: Shop, orphan: Orphan, undisturbed: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = promote._note_batch

    def slowly(*arguments: Any) -> None:
        noted(*arguments)
        orphan.goes_on()

    with monkeypatch.context() as patched:
        patched.setattr(promote, "_note_batch", slowly)
        report = run(shop.lake, shop.inputs, steps=STEPS[:1])
    assert len(shop.log(BRONZE)) == 3
    if report.exit_code:  # Java had not noticed yet that it is alone, and was the first
        assert "nothing of this one was published. Run again" in report.errors[0][1]
    done(shop.run())
    assert len(shop.log(BRONZE)) == 3
    same(shop, undisturbed)
    rebuilt = [row["table"] for row in accounts(shop.warehouse) if row["is_rebuilt"]]
    assert rebuilt == ([BRONZE] if report.exit_code else [])


def test_a_flipped_bit_in_a_file_is_told_with_its_name_and_never_another_number(
    spark: SparkSession, base: Path, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse"
    shutil.copytree(base / "warehouse", warehouse)
    lake = lake_at(spark, warehouse)
    file = max((warehouse / "silver" / "payments").glob("*.parquet"), key=lambda path: path.stat().st_size)
    # Hadoop's own checksum, which other readers do not know.
    (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
    good, told = file.read_bytes(), arrow.rows(lake, payments.TABLE).to_pylist()
    group = parquet.ParquetFile(file).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    messages = []
    for column in reversed(columns.values()):  # the key is the last
        file.write_bytes(flipped(good, column))
        try:
            assert arrow.rows(lake, payments.TABLE).to_pylist() == told
        except TableDamaged as error:
            messages.append(str(error))
    assert len(messages) > len(columns) / 2
    assert all(m.startswith("silver.payments: it cannot be read") and file.name in m for m in messages)
    report = run(lake, deliver_payments(tmp_path / "in", 3), steps=STEPS, full=True)
    assert report.exit_code == 1
    message = report.errors[0][1]
    assert message.startswith("silver.payments: it cannot be read (could not verify page integrity")
    assert f" in {file})" in message
    file.write_bytes(good)
    done(run(lake, tmp_path / "in", steps=STEPS))
