"""The way from MLflow into gold.model_scorecard: each move of an alias brings its shop's versions up to date."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame

from gold.models import model_scorecard
from lakehouse.accounts.ops_tables import MODEL_MOVES
from lakehouse.declare.table import Read, Step
from lakehouse.errors import UsageError
from ml.core.evidence import CHAMPION

if TYPE_CHECKING:
    from ml.core.tracking import Store


def step(store: Store | None) -> Step:
    """The step that promotes what changed in a store; without one, to be described only."""
    return Step(
        model_scorecard.TABLE,
        partial(_build, store),
        (Read(MODEL_MOVES, groups={"shop_id": "shop_id"}),),
        recompute=("shop_id",),
    )


def _build(store: Store | None, model_moves: DataFrame) -> DataFrame:
    """The measures of each version that a move names: the first move of a version tells when and why."""
    if store is None:
        raise UsageError(f"{model_scorecard.TABLE.name} is written by the training job: shoplake train")
    first: dict[tuple[str, int], Any] = {}
    for move in model_moves.orderBy("at", "batch_id").collect():
        first.setdefault((move["model"], move["to_version"]), move)
    champions = {name: store.alias(name, CHAMPION) for name in {name for name, _ in first}}
    rows = []
    for (name, version), move in first.items():
        champion = champions[name]
        metrics, tags = store.measured(move["model_run"])
        rows += [
            (
                move["shop_id"],
                move["family"],
                version,
                measure,
                value,
                champion is not None and int(champion.version) == version,
                move["at"],
                tags.get("evidence.window"),
                move["why"],
                move["model_run"],
            )
            for measure, value in metrics.items()
        ]
    return model_moves.sparkSession.createDataFrame(rows, model_scorecard.TABLE.schema)
