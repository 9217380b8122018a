"""How what a model says gets into gold: a step like any other, that consumes the model's version like a table's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pyspark.sql import DataFrame

from lakehouse.declare.table import Read, Step
from lakehouse.errors import UsageError
from ml.core.experiment import Experiment, Output, Served


def model_name(experiment: Experiment, shop: str) -> str:
    """Name of a shop's registered model of a family."""
    return f"{experiment.name}-{shop}"


def steps(experiment: Experiment, shop: str, served: Served | None = None) -> list[Step]:
    """The ways into the scored tables for a shop: by a model, or, to be described only, by none."""
    return [_step(experiment, output, shop, served) for output in experiment.outputs]


def reads_of(experiment: Experiment, shop: str) -> tuple[Read, ...]:
    """What an experiment reads, of a shop only where rows belong to shops; a calendar's belong to all."""
    where = f"shop_id = '{shop}'"
    return tuple(
        Read(read.table, f"({read.where}) AND {where}" if read.where else where, {"shop_id": "shop_id"})
        if "shop_id" in read.table.all_columns
        else read
        for read in experiment.reads
    )


def _step(experiment: Experiment, output: Output, shop: str, served: Served | None) -> Step:
    name = model_name(experiment, shop)
    return Step(
        table=output.table,
        build=partial(_build, output, served),
        reads=reads_of(experiment, shop),
        recompute=("shop_id",),
        filters=experiment.filters,
        models={name: served.version} if served else {},
        source=shop,
        owns={"shop_id": shop},
    )


def _build(output: Output, served: Served | None, **frames: DataFrame) -> DataFrame:
    if served is None:
        raise UsageError(f"{output.table.name} is written by the scoring job: shoplake score")
    return output.build(served, frames)


def declared(families: Mapping[str, Sequence[Experiment]]) -> list[Step]:
    """The ways into the scored tables, for the catalogue: which tables they read, for no shop in particular."""
    return [
        Step(output.table, partial(_build, output, None), experiment.reads, ("shop_id",), experiment.filters)
        for family in families.values()
        for experiment in family
        for output in experiment.outputs
    ]
