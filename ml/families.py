"""All families of models by name. A shop is served by the experiment of the family whose tables know it."""

from __future__ import annotations

from pathlib import Path

from ml.core.experiment import Experiment, Model
from ml.core.manifest import check_files
from ml.forecast.experiment import DAYS, PERIODS
from ml.recommend.experiment import EXPERIMENT as RECOMMEND
from ml.recommend.experiment import RATINGS
from ml.segment.experiment import EXPERIMENT as SEGMENT

FAMILIES: dict[str, tuple[Experiment, ...]] = {
    "recommend": (RECOMMEND, RATINGS),
    "forecast": (DAYS, PERIODS),
    "segment": (SEGMENT,),
}


def load(family: str, folder: Path) -> Model:
    """Read a model of a family. Registered models call this by name, so it stays."""
    check_files(folder)
    return FAMILIES[family][0].load(folder)
