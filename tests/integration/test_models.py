"""A model's life on a warehouse: trained, judged, scoring through the gate, rolled back; and what goes wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from pyarrow import parquet
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from jobs.train import train_each
from lakehouse.clock import system_clock
from lakehouse.declare.table import Step
from lakehouse.errors import TableDamaged, UsageError
from lakehouse.run.console import run_shown
from lakehouse.run.runner import Report
from lakehouse.store import delta
from lakehouse.store.lake import Lake
from ml.core import lifecycle, moves, scorecard, scoring
from ml.core.evidence import CHALLENGER, CHAMPION
from ml.core.experiment import Experiment, Frames, Model, Trained
from ml.core.tracking import Store, StoreError
from ml.families import FAMILIES
from ml.segment.features import describe
from silver import order_lines, orders
from tests.integration.conftest import Promoted
from tests.integration.habits import FIRST, lines_of, publish
from tests.integration.warehouse import Row, accounts, differences, done, flipped, lake_at, rows, versions

(SEGMENT,) = FAMILIES["segment"]
SCORED = [output.table.name for output in SEGMENT.outputs]


@pytest.fixture(scope="module")
def first(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, lifecycle.Training]:
    """A warehouse of two shops, one of them too small to learn from; the other's model is trained and has scored."""
    lake = lake_at(spark, tmp_path_factory.mktemp("models") / "warehouse")
    publish(lake, pd.concat([lines_of("big", 240), lines_of("small", 6)]))
    training = lifecycle.train(lake, Store(lake), SEGMENT, "big", seed=0)
    done(score(lake, "big"))
    return lake, training


@pytest.fixture(scope="module")
def trained(first: tuple[Lake, lifecycle.Training]) -> Lake:
    return first[0]


@pytest.fixture(scope="module")
def repeated(first: tuple[Lake, lifecycle.Training]) -> Experiment:
    """The experiment whose training comes to what the first one came to: for what happens after it."""
    return replace(SEGMENT, train=lambda *_: first[1].trained)


@pytest.fixture
def copied(trained: Lake, tmp_path: Path) -> Iterator[Lake]:
    folder = tmp_path / "copied"
    shutil.copytree(trained.warehouse, folder)
    yield lake_at(trained.spark, folder)
    shutil.rmtree(folder)


def score(lake: Lake, shop: str) -> Report:
    again = lake_at(lake.spark, lake.warehouse)
    return run_shown(again, steps_of(again, shop), Console(file=StringIO()))


def steps_of(lake: Lake, shop: str) -> list[Step]:
    return scoring.steps(SEGMENT, shop, lifecycle.serving(Store(lake), SEGMENT, shop))


def of_shop(lake: Lake, table: str, shop: str) -> list[Row]:
    return sorted((r for r in rows(lake.warehouse, table) if r["shop_id"] == shop), key=str)


def test_the_model_beats_the_baseline_and_is_champion(trained: Lake) -> None:
    champion = Store(trained).alias("segment-big", CHAMPION)
    assert champion is not None
    (move,) = moves.made(trained)
    assert (move["model"], move["alias"], move["from_version"], move["to_version"]) == (
        "segment-big",
        "champion",
        None,
        1,
    )
    assert "of that of the baseline" in move["why"]


def test_a_run_tells_its_data_its_trials_and_its_pictures(first: tuple[Lake, lifecycle.Training]) -> None:
    lake, training = first
    client = MlflowClient(Store(lake).uri)
    run = client.get_run(training.run_id)
    assert run.info.run_name == "segment-big"
    assert run.data.tags["mlflow.source.name"]  # who ran it
    assert run.inputs is not None
    assert {one.dataset.name.split("@")[0] for one in run.inputs.dataset_inputs} >= {"silver.order_lines"}
    plots = [file.path for file in client.list_artifacts(training.run_id, "plots")]
    assert len(plots) >= 3
    trials = client.search_runs([run.info.experiment_id], f"tags.mlflow.parentRunId = '{training.run_id}'")
    assert sorted(t.info.run_name for t in trials) == sorted(t.name for t in training.trained.trials)


def test_a_run_begins_when_its_training_does(copied: Lake, first: tuple[Lake, lifecycle.Training]) -> None:
    began = []

    def timed(*_: object) -> Trained:
        began.append(system_clock())
        return first[1].trained

    store = Store(copied)
    training = lifecycle.train(copied, store, replace(SEGMENT, train=timed), "big", seed=0)
    assert MlflowClient(store.uri).get_run(training.run_id).info.start_time <= began[0].timestamp() * 1000


def test_every_customer_has_one_row_and_the_accounts_balance(trained: Lake) -> None:
    segments = of_shop(trained, "gold.customer_segments", "big")
    assert len({row["customer_id"] for row in segments}) == len(segments) == 240
    assert {row["model"] for row in segments} == {"segment-big v1"}
    (profiled,) = {sum(row["customers"] for row in of_shop(trained, "gold.segment_profiles", "big"))}
    assert profiled == 240
    for account in accounts(trained.warehouse):
        assert set(differences(account).values()) == {0}
    lineage = {row["source_table"]: row["until_version"] for row in rows(trained.warehouse, "ops.lineage")}
    assert lineage["segment-big"] == 1


def test_scoring_again_commits_nothing(copied: Lake) -> None:
    before = versions(copied.warehouse)
    report = done(score(copied, "big"))
    assert report.published == []
    assert {name: v for name, v in versions(copied.warehouse).items() if before[name] != v} == {}


def test_without_a_champion_the_baseline_scores_and_says_so(copied: Lake) -> None:
    big = of_shop(copied, "gold.customer_segments", "big")
    with pytest.raises(UsageError, match="The baseline serves"):
        lifecycle.train(copied, Store(copied), SEGMENT, "small", seed=0)
    done(score(copied, "small"))
    small = of_shop(copied, "gold.customer_segments", "small")
    assert {row["model"] for row in small} == {"baseline: RFM quintiles"}
    assert len(small) == 6
    assert of_shop(copied, "gold.customer_segments", "big") == big


def test_the_same_data_and_seed_give_the_same_scores_and_a_rollback_restores_them(copied: Lake) -> None:
    store = Store(copied)
    before = of_shop(copied, "gold.customer_segments", "big")
    again = lifecycle.train(copied, store, SEGMENT, "big", seed=0)
    assert again.decision.promoted
    done(score(copied, "big"))
    unsigned = [{k: v for k, v in row.items() if not k.startswith("model")} for row in before]
    rescored = of_shop(copied, "gold.customer_segments", "big")
    assert [{k: v for k, v in row.items() if not k.startswith("model")} for row in rescored] == unsigned
    assert {row["model"] for row in rescored} == {"segment-big v2"}
    assert lifecycle.roll_back(copied, store, SEGMENT, "big", None) == 1
    done(score(copied, "big"))
    assert of_shop(copied, "gold.customer_segments", "big") == before
    assert [(m["from_version"], m["to_version"]) for m in moves.made(copied)] == [(2, 1), (1, 2), (None, 1)]
    done(run_shown(copied, [scorecard.step(store)], Console(file=StringIO())))
    board = rows(copied.warehouse, "gold.model_scorecard")
    assert {row["version"]: row["is_champion"] for row in board} == {1: True, 2: False}
    assert {"silhouette", "r2_held_out", "adjusted_rand"} <= {row["measure"] for row in board}


def test_a_worse_model_is_logged_and_not_promoted(copied: Lake, first: tuple[Lake, lifecycle.Training]) -> None:
    store = Store(copied)
    trained = first[1].trained
    worse = replace(trained, evidence=replace(trained.evidence, criteria={"no segment under 90 %": False}))
    training = lifecycle.train(copied, store, replace(SEGMENT, train=lambda *_: worse), "big", seed=0)
    assert not training.decision.promoted
    assert "no segment under 90 %" in training.decision.why
    champion, challenger = store.alias("segment-big", CHAMPION), store.alias("segment-big", CHALLENGER)
    assert champion is not None
    assert challenger is not None
    assert (int(champion.version), int(challenger.version)) == (1, training.version)


def test_an_evaluation_is_logged_and_changes_nothing(copied: Lake, repeated: Experiment) -> None:
    store, before = Store(copied), versions(copied.warehouse)
    lifecycle.evaluate(copied, store, repeated, "big", seed=0)
    assert len(store.versions("segment-big")) == 1
    assert versions(copied.warehouse) == before


def test_a_fresh_process_loads_the_champion_and_scores_the_same(trained: Lake, tmp_path: Path) -> None:
    store = Store(trained)
    code = (
        "import sys, mlflow; mlflow.set_tracking_uri(sys.argv[1]);"
        "model = mlflow.pyfunc.load_model('models:/segment-big@champion');"
        "model.predict(model.input_example).to_json(sys.argv[2])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, store.uri, str(tmp_path / "scores.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    model = lifecycle.load(store, SEGMENT, "segment-big", 1)
    ours = model.predict(store.example("segment-big", 1))
    ours.to_json(tmp_path / "ours.json")
    assert (tmp_path / "scores.json").read_text() == (tmp_path / "ours.json").read_text()


def test_a_warehouse_that_is_moved_or_copied_keeps_its_models_with_it(trained: Lake, tmp_path: Path) -> None:
    copied, moved = tmp_path / "copied", tmp_path / "a%b c_" / "moved"
    shutil.copytree(trained.warehouse / "ops" / "mlflow", copied / "ops" / "mlflow")
    _holds_its_models(lake_at(trained.spark, copied))
    moved.parent.mkdir()
    copied.rename(moved)
    _holds_its_models(lake_at(trained.spark, moved))


def _holds_its_models(lake: Lake) -> None:
    store = Store(lake)
    ours = lifecycle.load(store, SEGMENT, "segment-big", 1).predict(store.example("segment-big", 1))
    assert len(ours) == 5
    found = MlflowClient(store.uri).search_experiments(filter_string="name = 'segment'")
    artifacts = (lake.warehouse / "ops" / "mlflow" / "artifacts").as_uri()
    assert [one.artifact_location for one in found] == [f"{artifacts}/segment"]
    (version,) = store.versions("segment-big")
    assert version.run_id is not None
    assert MlflowClient(store.uri).list_artifacts(version.run_id, "plots")


@pytest.mark.parametrize("place", range(len(SCORED)), ids=SCORED)
def test_the_gate_of_a_scored_table_blocks(copied: Lake, place: int) -> None:
    step = steps_of(copied, "big")[place]
    before = rows(copied.warehouse, step.table.name)
    rule = next(r for r in step.table.row_rules if r.name == "model.not_null")

    def build(**frames: DataFrame) -> DataFrame:
        return step.build(**frames).withColumn("model", F.lit(None).cast("string"))

    forced = replace(step, build=build, models={"segment-big": 99})
    report = run_shown(copied, [forced], Console(file=StringIO()))
    assert report.exit_code == 3
    assert rule.name in report.errors[0][1]
    assert rows(copied.warehouse, step.table.name) == before


def test_runs_versions_and_models_say_what_they_are(first: tuple[Lake, lifecycle.Training]) -> None:
    lake, training = first
    client = MlflowClient(Store(lake).uri)
    run, version = client.get_run(training.run_id), client.get_model_version("segment-big", "1")
    note, model = run.data.tags["mlflow.note.content"], client.get_registered_model("segment-big")
    assert note.startswith("champion: squared error of the log revenue held out is 0.")
    assert "of that of the baseline" in note
    assert version.description == note
    assert model.description == f"{SEGMENT.meaning}\n\nNewest, version 1: {note}"
    assert client.get_experiment(run.info.experiment_id).tags["mlflow.note.content"] == SEGMENT.meaning


def test_a_training_that_fails_is_one_message_and_the_next_shop_goes_on(
    first: tuple[Lake, lifecycle.Training], tmp_path: Path
) -> None:
    lake = lake_at(first[0].spark, tmp_path / "failing")
    publish(lake, pd.concat([lines_of("big", 3), lines_of("small", 3)]))
    asked: list[str] = []

    def breaks(frames: Frames, champion: Model | None, seed: int) -> Trained:
        asked.append(frames["order_lines"].collect()[0]["shop_id"])
        if asked[-1] == "big":
            raise ZeroDivisionError("no customers\nmore")
        raise UsageError("too few. The baseline serves until there are more")

    screen, store = StringIO(), Store(lake)
    broken = replace(SEGMENT, train=breaks)
    code = train_each(lake, store, Console(file=screen, width=200), [(broken, "big"), (broken, "small")], seed=0)
    said = screen.getvalue()
    assert code == 2
    assert asked == ["big", "small"]
    trace = lake.warehouse / "ops" / "logs" / f"{lake.run_id}.log"
    assert f"segment-big: unexpected: no customers; the details are in {trace}" in said
    assert "Traceback" not in said
    assert "ZeroDivisionError" in trace.read_text()
    assert not (lake.warehouse / "ops" / "mlflow").exists()  # no model, no store
    assert store.alias("segment-big", CHAMPION) is None
    (run,) = rows(lake.warehouse, "ops.runs")
    assert (run["exit_code"], run["batches"]) == (2, 0)
    assert run["message"].startswith("segment-big: unexpected: no customers")
    assert done(run_shown(lake, [scorecard.step(store)], Console(file=StringIO()))).published == []


def test_a_training_on_a_damaged_table_names_the_file(copied: Lake) -> None:
    file = max((copied.warehouse / "silver" / "orders").glob("*.parquet"), key=lambda path: path.stat().st_size)
    (file.parent / f".{file.name}.crc").unlink(missing_ok=True)
    column = parquet.ParquetFile(file).metadata.row_group(0).column(0)
    file.write_bytes(flipped(file.read_bytes(), column))
    with pytest.raises(TableDamaged, match=rf"^silver\.orders: its file .*{file.name} cannot be read"):
        lifecycle.told(copied, "segment-big", lambda: lifecycle.train(copied, Store(copied), SEGMENT, "big", seed=0))


def test_pictures_name_the_segments_as_the_tables_do(first: tuple[Lake, lifecycle.Training]) -> None:
    lake, training = first
    segments = Counter(row["segment"] for row in of_shop(lake, "gold.customer_segments", "big"))
    shares = {f"{name} ({customers / 240:.0%})" for name, customers in segments.items()}
    assert set(_names(training, "segments")) == shares
    assert set(_names(training, "revenue held out")) <= set(segments)


def _names(training: lifecycle.Training, picture: str) -> list[str]:
    return [label.get_text() for label in training.trained.figures[picture].axes[0].get_yticklabels()]


def test_a_broken_store_is_one_message(copied: Lake) -> None:
    database = copied.warehouse / "ops" / "mlflow" / "mlflow.db"
    database.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(copied)


def test_a_version_that_cannot_be_read_is_one_message(trained: Lake) -> None:
    with pytest.raises(StoreError, match=r"segment-big version 7 cannot be read .*; train again"):
        lifecycle.load(Store(trained), SEGMENT, "segment-big", 7)


def test_a_champion_that_the_code_cannot_read_does_not_keep_another_from_being_trained(
    copied: Lake, repeated: Experiment, caplog: pytest.LogCaptureFixture
) -> None:
    def of_another_version(folder: Path) -> Model:
        raise KeyError("smearing")

    asked: list[Model | None] = []

    def train(frames: Frames, champion: Model | None, seed: int) -> Trained:
        asked.append(champion)
        return repeated.train(frames, champion, seed)

    other = replace(repeated, load=of_another_version, train=train)
    with pytest.raises(
        StoreError, match=r"segment-big version 1 cannot be read \(KeyError\('smearing'\)\); train again"
    ):
        lifecycle.serving(Store(copied), other, "big")
    training = lifecycle.train(copied, Store(copied), other, "big", seed=0)
    assert asked == [None]
    assert (training.version, training.decision.promoted) == (2, True)
    assert "compared with the baseline alone: segment-big version 1 cannot be read" in caplog.text


def test_a_training_that_is_killed_changes_nothing_that_serves(
    copied: Lake, repeated: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "register", killed)
    with pytest.raises(KeyboardInterrupt):
        lifecycle.train(copied, Store(copied), repeated, "big", seed=0)
    champion = Store(copied).alias("segment-big", CHAMPION)
    assert champion is not None
    assert int(champion.version) == 1
    assert done(score(copied, "big")).published == []


def test_every_family_is_served_by_its_baseline_from_the_first_day(promoted: Promoted, tmp_path: Path) -> None:
    shutil.copytree(promoted.warehouse, tmp_path / "warehouse")
    lake = lake_at(promoted.lake.spark, tmp_path / "warehouse")
    store = Store(lake)
    found = [pair for family in FAMILIES.values() for pair in lifecycle.pairs(lake, family, "shop")]
    for experiment, shop in found:
        with pytest.raises(UsageError, match="The baseline serves until there are more"):
            lifecycle.train(lake, store, experiment, shop, seed=0)
    steps = [step for e, shop in found for step in scoring.steps(e, shop, lifecycle.serving(store, e, shop))]
    done(run_shown(lake, steps, Console(file=StringIO())))
    recommended = rows(lake.warehouse, "gold.recommendations")
    everyone = {row["customer_id"] for row in rows(lake.warehouse, "silver.customers")}
    assert everyone <= {row["customer_id"] for row in recommended if row["task"] == "ALL"}
    assert {row["model"] for row in recommended} == {"baseline: buy it again"}
    products = {row["product_id"] for row in rows(lake.warehouse, "gold.demand_daily")}
    forecast = rows(lake.warehouse, "gold.demand_forecast")
    assert {row["series_id"] for row in forecast if row["level"] == "series"} == products
    assert {row["fallback"] for row in forecast if row["level"] == "series"} == {
        "no model beats the seasonal naive forecast yet"
    }
    assert {row["product_id"] for row in rows(lake.warehouse, "gold.inventory_plan")} == products
    assert len(rows(lake.warehouse, "gold.revenue_forecast")) == 7
    for account in accounts(lake.warehouse):
        assert set(differences(account).values()) == {0}, account["table"]
    shutil.rmtree(lake.warehouse)


def test_what_comes_after_the_day_is_not_seen(trained: Lake) -> None:
    cut = FIRST + timedelta(120)
    lines = delta.read(trained, order_lines.TABLE)
    heads = delta.read(trained, orders.TABLE)
    later = F.col("sold_on") > F.lit(cut)
    leaked = lines.withColumns({"amount": F.when(later, F.col("amount") * 7).otherwise(F.col("amount"))})
    leaked = leaked.withColumn("customer_id", F.when(later, F.lit("c000")).otherwise(F.col("customer_id")))
    looks = [describe(seen, heads, cut).orderBy("shop_id", "customer_id").collect() for seen in (lines, leaked)]
    assert looks[0] == looks[1]
    assert len(looks[0]) > 200


def test_unknown_shops_and_empty_warehouses_are_named(trained: Lake, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--shop nowhere: unknown shop; known shops: big, small"):
        lifecycle.pairs(trained, [SEGMENT], "nowhere")
    with pytest.raises(UsageError, match=r"silver\.order_lines has no rows"):
        lifecycle.pairs(lake_at(trained.spark, tmp_path), [SEGMENT], None)
