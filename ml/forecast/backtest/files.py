"""A backtest as plain files: arrays in npz, words in JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ml.forecast.backtest.backtest import Backtest, Cutoff
from ml.forecast.fallback.fallback import Fallbacks
from ml.forecast.uncertainty.smearing import Smearing

_ARRAYS, _WORDS = "backtest.npz", "backtest.json"


def save_backtest(backtest: Backtest, folder: Path) -> None:
    """Write all cutoffs to `backtest.npz` and `backtest.json`."""
    arrays: dict[str, Any] = {"truth": backtest.truth}
    words = []
    for number, one in enumerate(backtest.cutoffs):
        arrays |= {
            f"{number}.logs": one.logs,
            f"{number}.unit": one.unit,
            **{f"{number}.{name}": values for name, values in asdict(one.smearing).items()},
            f"{number}.spread": one.spread,
            f"{number}.scale": one.scale,
            f"{number}.fallback": one.fallback.forecast,
        }
        fallback = {"kinds": list(one.fallback.kinds), "reasons": list(one.fallback.reasons)}
        words.append({"demand": one.demand.tolist(), "knows_year": one.knows_year, "key": one.key, **fallback})
    np.savez_compressed(folder / _ARRAYS, **arrays)
    (folder / _WORDS).write_text(json.dumps({"names": list(backtest.names), "origins": words}, indent=1))


def load_backtest(folder: Path) -> Backtest:
    """Read what `save_backtest` wrote."""
    words: dict[str, Any] = json.loads((folder / _WORDS).read_text())
    with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
        cutoffs = tuple(
            Cutoff(
                logs=arrays[f"{number}.logs"],
                unit=arrays[f"{number}.unit"],
                smearing=Smearing(**{field.name: arrays[f"{number}.{field.name}"] for field in fields(Smearing)}),
                spread=arrays[f"{number}.spread"],
                scale=arrays[f"{number}.scale"],
                demand=np.array(entry["demand"]),
                knows_year=entry["knows_year"],
                key=entry.get("key", ""),  # a model of before there were keys
                fallback=Fallbacks(tuple(entry["kinds"]), tuple(entry["reasons"]), arrays[f"{number}.fallback"]),
            )
            for number, entry in enumerate(words["origins"])
        )
        return Backtest(tuple(words["names"]), cutoffs, arrays["truth"])
