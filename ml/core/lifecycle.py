"""A model's life: trained on pinned versions, evaluated, made champion or not, scoring, rolled back.

Each move of an alias is a row in `ops.model_moves` with its evidence. What scores is the champion; where there is none,
the family's plain baseline, and the scored tables say so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pyspark.sql import DataFrame

from lakehouse.accounts import ops_tables
from lakehouse.accounts.journal import done, flush
from lakehouse.declare.table import Read
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.run.runner import git_commit, unexpected
from lakehouse.store import delta, log, versions
from lakehouse.store.damage import found_by_spark
from lakehouse.store.lake import Lake
from ml.core import moves
from ml.core.evidence import CHALLENGER, CHAMPION, Decision, decide
from ml.core.experiment import Earlier, Experiment, Model, Served, Trained
from ml.core.manifest import ModelDamaged
from ml.core.scoring import model_name, reads_of
from ml.core.tracking import NOTE, Store, StoreError, evidence_tags

logger = logging.getLogger("shoplake")


@dataclass(frozen=True)
class Training:
    """What a training came to."""

    model: str
    version: int
    run_id: str
    trained: Trained
    decision: Decision


def pairs(lake: Lake, family: Sequence[Experiment], shop: str | None) -> list[tuple[Experiment, str]]:
    """The shop that is asked for, or all of them, each with the experiment whose tables know it.

    No shop at all, or an unknown one, is a `UsageError`.
    """
    known = {found: experiment for experiment in reversed(family) for found in _shops(lake, experiment)}
    if not known:
        tables = " and ".join(experiment.reads[0].table.name for experiment in family)
        raise UsageError(f"{family[0].name}: {tables} has no rows in {lake.warehouse}; run the jobs up to it first")
    if shop is not None and shop not in known:
        raise UsageError(f"--shop {shop}: unknown shop; known shops: {', '.join(sorted(known))}")
    return [(known[found], found) for found in sorted(known) if shop in (None, found)]


def _shops(lake: Lake, experiment: Experiment) -> list[str]:
    """The shops that have rows in the first table that an experiment reads."""
    first = experiment.reads[0]
    if not log.exists(lake, first.table.name):
        return []
    found = _read(lake, first, None).select("shop_id").distinct().collect()
    return [row["shop_id"] for row in found]


# --- train ------------------------------------------------------------------------------------------------------------

_Answer = TypeVar("_Answer")


class TrainingFailed(LakehouseError):
    """A training ended by an error that nobody foresaw; its trace is in a log. Exit code 1."""


def told(lake: Lake, name: str, work: Callable[[], _Answer], failures: list[str] | None = None) -> _Answer:
    """What comes of a training or an evaluation; whatever goes wrong in it is one message, also added to `failures`."""
    try:
        return _foreseen(lake, name, work)
    except LakehouseError as error:
        if failures is not None:
            failures.append(f"{name}: {error}")
        raise


def _foreseen(lake: Lake, name: str, work: Callable[[], _Answer]) -> _Answer:
    """Turn an error that nobody foresaw into one of ours."""
    try:
        return work()
    except LakehouseError:
        raise
    except Exception as error:
        raise (found_by_spark(lake, error) or TrainingFailed(unexpected(lake, name, error))) from error


def train(lake: Lake, store: Store, experiment: Experiment, shop: str, seed: int) -> Training:
    """Train a shop's model on the tables as they are now, log it, and make it champion if its evidence allows."""
    name = model_name(experiment, shop)
    trained, run_id = _logged(lake, store, experiment, shop, seed, kind="training")
    version = store.register(experiment.name, name, trained, run_id)
    decision = decide(trained.evidence)
    became = "champion" if decision.promoted else "not promoted"
    store.decided(name, version, run_id, experiment.meaning, f"{became}: {decision.why} ({trained.evidence.window})")
    move(lake, store, experiment, shop, CHAMPION if decision.promoted else CHALLENGER, version, decision.why, run_id)
    return Training(name, version, run_id, trained, decision)


def evaluate(lake: Lake, store: Store, experiment: Experiment, shop: str, seed: int) -> Trained:
    """Do all that a training does up to its evidence, and log that; no model is registered and none is moved."""
    return _logged(lake, store, experiment, shop, seed, kind="evaluation")[0]


def _logged(lake: Lake, store: Store, experiment: Experiment, shop: str, seed: int, kind: str) -> tuple[Trained, str]:
    """What a training came to, in a run of its own."""
    name, started = model_name(experiment, shop), lake.clock()
    frames, sources = _pinned(lake, experiment, shop)
    champion = _champion(store, experiment, name)
    earlier = Earlier(champion, lambda: _newest(store, experiment, name, champion))
    trained = experiment.train(frames, earlier, seed)
    evidence = trained.evidence
    ratios = {"against_baseline": evidence.against_baseline, "against_champion": evidence.against_champion}
    tags = evidence_tags(evidence.measure, evidence.window, ratios) | {"kind": kind, "shop": shop}
    tags |= {"shoplake.run_id": lake.run_id, "git_commit": git_commit() or ""}
    tags |= {NOTE: f"{kind}: {evidence.measure} is {evidence.against_baseline} of that of {evidence.baseline}"}
    return trained, store.log(experiment.name, name, trained, sources, tags, started, experiment.meaning)


def load(store: Store, experiment: Experiment, name: str, version: int) -> Model:
    """A registered version, by our own code; one that another version of the code made may be a `StoreError`."""
    with store.files(name, version) as folder:
        try:
            return experiment.load(folder)
        except LakehouseError:
            raise
        except Exception as error:
            raise StoreError(f"{name} version {version} cannot be read ({error!r}); train again") from error


def _champion(store: Store, experiment: Experiment, name: str) -> Model | None:
    """What a new model is compared with. One that cannot be read must not keep its successor from being trained."""
    champion = store.alias(name, CHAMPION)
    if champion is None:
        return None
    try:
        return load(store, experiment, name, int(champion.version))
    except LakehouseError as error:
        logger.warning("the new model is compared with the baseline alone: %s", error)
        return None


def _newest(store: Store, experiment: Experiment, name: str, champion: Model | None) -> Model | None:
    """What was trained last. One that cannot be read is no loss but of time."""
    version = max((int(one.version) for one in store.versions(name)), default=None)
    serving = store.alias(name, CHAMPION)
    if version is None or (serving is not None and version == int(serving.version)):
        return champion
    try:
        return load(store, experiment, name, version)
    except LakehouseError as error:
        logger.warning("all is learned anew: %s", error)
        return None


def _pinned(lake: Lake, experiment: Experiment, shop: str) -> tuple[dict[str, DataFrame], dict[str, tuple[str, int]]]:
    """The tables that an experiment reads, each at the version that it has now, less what is filtered of the first.

    A shop without promotions or stock, say, has none of these tables: they are empty.
    """
    frames, sources = {}, {}
    for place, read in enumerate(reads_of(experiment, shop)):
        versions.check(lake, read.table.name)
        head = log.head(lake, read.table.name)
        if head is None and place == 0:
            raise UsageError(
                f"{experiment.name}: there is no {read.table.name} in {lake.warehouse}; run the jobs up to it first"
            )
        rows = _read(lake, read, -1 if head is None else head.version)
        for left_out in experiment.filters if place == 0 else ():
            rows = rows.where(f"NOT coalesce({left_out.drops}, false)")
        frames[read.table.short_name] = rows
        if head is not None:
            sources[read.table.name] = (lake.path(read.table), head.version)
    return frames, sources


def _read(lake: Lake, read: Read, version: int | None) -> DataFrame:
    rows = delta.read(lake, read.table, version)
    return rows.where(read.where) if read.where else rows


# --- aliases ----------------------------------------------------------------------------------------------------------


def move(
    lake: Lake, store: Store, experiment: Experiment, shop: str, alias: str, version: int, why: str, run_id: str
) -> None:
    """Let an alias of a shop's model name a version, and write down from where to where and why."""
    name = model_name(experiment, shop)
    before = store.alias(name, alias)
    store.set_alias(name, alias, version)
    challenger = store.alias(name, CHALLENGER)
    if alias == CHAMPION and challenger is not None and int(challenger.version) == version:
        store.drop_alias(name, CHALLENGER)
    row = {
        "at": lake.clock().isoformat(),
        "family": experiment.name,
        "shop_id": shop,
        "model": name,
        "alias": alias,
        "from_version": None if before is None else int(before.version),
        "to_version": version,
        "why": why,
        "model_run": run_id,
    }
    done(lake, ops_tables.MODEL_MOVES, "move", row).save()
    flush(lake)


def roll_back(lake: Lake, store: Store, experiment: Experiment, shop: str, version: int | None) -> int:
    """Make an older version champion again: the one named, or the champion before this one. Returns it."""
    name = model_name(experiment, shop)
    champion = store.alias(name, CHAMPION)
    if champion is None:
        trained = ", ".join(store.names()) or "none"
        raise UsageError(f"{name} has no champion to roll back from; known models: {trained}")
    versions = {int(v.version): v for v in store.versions(name)}
    if version is None:
        version = _champion_before(lake, name, int(champion.version))
    if version not in versions:
        raise UsageError(f"{name} has no version {version}; it has {', '.join(map(str, versions))}")
    why = f"rolled back from version {champion.version}"
    move(lake, store, experiment, shop, CHAMPION, version, why, versions[version].run_id or "")
    return version


def _champion_before(lake: Lake, name: str, version: int) -> int:
    made = [m for m in moves.made(lake, name) if m["alias"] == CHAMPION and m["to_version"] == version]
    last = next(iter(made), None)
    if last is None or last["from_version"] is None:
        raise UsageError(f"{name}: version {version} is its first champion; there is none to roll back to")
    before: int = last["from_version"]
    return before


# --- serve ---------------------------------------------------------------------------------------------------------


def serving(store: Store, experiment: Experiment, shop: str) -> Served:
    """The model that scores for a shop: its champion; the baseline, as version 0, where that is damaged or missing."""
    name = model_name(experiment, shop)
    champion = store.alias(name, CHAMPION)
    baseline = Served(experiment.baseline, 0, f"baseline: {experiment.baseline_label}")
    if champion is None:
        return baseline
    version = int(champion.version)
    try:
        model = load(store, experiment, name, version)
    except ModelDamaged as error:
        logger.warning("%s is scored by the %s: %s", name, baseline.label, error)
        return baseline
    return Served(model, version, f"{name} v{version}", champion.run_id)
