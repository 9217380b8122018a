"""A backtest as plain files: arrays in npz, words in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ml.forecast.backtest.backtest import Backtest, Origin
from ml.forecast.fallback.fallback import Fallbacks
from ml.forecast.uncertainty.smearing import Scatter

_ARRAYS, _WORDS = "backtest.npz", "backtest.json"


def save_backtest(backtest: Backtest, folder: Path) -> None:
    """Write all origins to `backtest.npz` and `backtest.json`."""
    arrays: dict[str, Any] = {"truth": backtest.truth}
    words = []
    for number, one in enumerate(backtest.origins):
        arrays |= {
            f"{number}.logs": one.logs,
            f"{number}.unit": one.unit,
            **{f"{number}.{name}": values for name, values in asdict(one.scatter).items()},
            f"{number}.spread": one.spread,
            f"{number}.scale": one.scale,
            f"{number}.fallback": one.fallback.forecast,
        }
        fallback = {"kinds": list(one.fallback.kinds), "reasons": list(one.fallback.reasons)}
        words.append({"demand": one.demand.tolist(), "knows_year": one.knows_year, **fallback})
    np.savez_compressed(folder / _ARRAYS, **arrays)
    (folder / _WORDS).write_text(json.dumps({"names": list(backtest.names), "origins": words}, indent=1))


def load_backtest(folder: Path) -> Backtest:
    """Read what `save_backtest` wrote."""
    words: dict[str, Any] = json.loads((folder / _WORDS).read_text())
    with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
        origins = tuple(
            Origin(
                logs=arrays[f"{number}.logs"],
                unit=arrays[f"{number}.unit"],
                scatter=Scatter(**{field.name: arrays[f"{number}.{field.name}"] for field in fields(Scatter)}),
                spread=arrays[f"{number}.spread"],
                scale=arrays[f"{number}.scale"],
                demand=np.array(said["demand"]),
                knows_year=said["knows_year"],
                fallback=Fallbacks(tuple(said["kinds"]), tuple(said["reasons"]), arrays[f"{number}.fallback"]),
            )
            for number, said in enumerate(words["origins"])
        )
        return Backtest(tuple(words["names"]), origins, arrays["truth"])
