"""Real demand, forecast by the ensemble and by what it is measured against, in one run.

`python -m benchmarks.forecast_real walmart|orange_juice|stallion|online_retail` prints what came out.

`walmart`: 80 store-departments, 13 weeks from four cuts. `orange_juice`: 88 store-brands with prices, deals and
features, 13 weeks from two cuts. `stallion`: 127 agency-products, 6 months from three cuts.
Each cut's ensemble learns its weights and intervals from origins one horizon apart before it; what members say from an
origin is worked out once for all cuts. Walmart's recipes were chosen on other store-departments (`--skip 80`) of the
same weeks. `online_retail`: 90 days from three cuts, revenue in total and by country, pieces of 30 products; needs
`--warehouse DIR`. Stallion has no others: its windows were seen when recipes were chosen, so expect 1-3 % less
elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.forecast_contenders import CONTENDERS
from benchmarks.forecast_data import online_retail, orange_juice, stallion, walmart
from benchmarks.measure import cpu_seconds
from lakehouse.errors import UsageError
from ml.forecast.backtest.backtest import LEAST_BEFORE, Backtest, Cutoff, forecast_from, when_open
from ml.forecast.backtest.metrics import bias, coverage, mase, naive_scale, paired_ratio, wape
from ml.forecast.ensemble import Fitted
from ml.forecast.lead_time import lead_time_demand
from ml.forecast.panel.decomposition import to_units
from ml.forecast.panel.panel import Array, Panel
from ml.forecast.settings import MEMBERS, Settings

THREE = ("arima", "prophet", "lstm")
CUTS = {
    "walmart": (91, 104, 117, 130),
    "orange_juice": (95, 108),
    "stallion": (42, 48, 54),
    "online_retail": (469, 559, 649),
}
HORIZON = {"walmart": 13, "orange_juice": 13, "stallion": 6, "online_retail": 90}
LEAD_TIME = {"D": 14, "W": 4, "M": 2}
SERIES = {"walmart": 80, "orange_juice": 88, "stallion": 127}
_COLUMNS = ("mean", "median", "q025", "q10", "q90", "q975")
_Answer = TypeVar("_Answer")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=sorted(CUTS))
    parser.add_argument("--series", type=int, help="how many series")
    parser.add_argument("--skip", type=int, default=0, help="leave out the first that are drawn")
    parser.add_argument("--origins", type=int, default=4, help="rolling origins that teach weights and intervals")
    parser.add_argument("--seeds", type=int, default=2, help="seeds of the network")
    parser.add_argument("--ours", action="store_true", help="without the other contenders")
    parser.add_argument("--warehouse", type=Path, help="warehouse with Online Retail II in gold")
    asked = parser.parse_args()
    settings = Settings(origins=asked.origins, lstm_seeds=asked.seeds)
    for level, panel in _panels(asked).items():
        print(f"\n{level}", flush=True)
        measure(panel, CUTS[asked.data], HORIZON[asked.data], settings, asked.ours)


def _panels(asked: argparse.Namespace) -> dict[str, Panel]:
    if asked.data == "online_retail":
        if asked.warehouse is None:
            raise UsageError("online_retail needs --warehouse DIR, a warehouse with its gold tables (see README)")
        return online_retail(asked.warehouse)
    series = asked.series or SERIES[asked.data]
    if asked.data == "stallion":
        return {"stallion": stallion(series)}
    drawn = {"walmart": walmart, "orange_juice": orange_juice}[asked.data]
    return {asked.data: drawn(series, asked.skip)}


def measure(panel: Panel, cuts: tuple[int, ...], horizon: int, settings: Settings, ours: bool) -> None:
    """Score all contenders at all cuts and print what came out."""
    cube = panel.cube
    said: dict[str, list[Array]] = {}
    means: list[Array] = []
    lasts: list[Array] = []
    stocks: list[float] = []
    bounds: dict[int, list[tuple[Array, Array]]] = {80: [], 95: []}
    cpu: dict[str, float] = {}
    origins: dict[int, Cutoff] = {}
    for cut in cuts:
        earlier = [cut - horizon * k for k in range(settings.origins, 0, -1)]
        before = [one for one in earlier if one >= LEAST_BEFORE[cube.frequency]]
        for one in [*before, cut]:
            if one not in origins:
                origins[one], seconds = _timed(partial(forecast_from, cube.until(one, horizon), settings))
                cpu["four"] = seconds  # of the latest, the longest history
        history = cube.until(cut, horizon)
        as_sold = replace(history, y=cube.y[:, :cut])  # days off are a notion of ours
        truth = np.stack([when_open(cube, one, horizon) for one in before])
        tested = Backtest(settings.members, tuple(origins[one] for one in before), truth)
        fitted = Fitted(_known_by(panel, cut), horizon, settings, {}, tested, {})
        for name, chosen in (("three", THREE), ("four", MEMBERS)):
            kept = [MEMBERS.index(one) for one in chosen]
            forecast = fitted.only(chosen).combined(history, replace(origins[cut], logs=origins[cut].logs[kept]))
            wide = {one: forecast.frame[one].to_numpy(float).reshape(len(cube.ids), -1) for one in _COLUMNS}
            said.setdefault(name, []).append(wide["median"])
            if name == "three":
                means.append(wide["mean"])
                plan = lead_time_demand(fitted.only(chosen), forecast, LEAD_TIME[cube.frequency])
                sums = cube.y[:, cut : cut + LEAD_TIME[cube.frequency]].sum(axis=1)
                lasts.append((sums <= plan["q95"].to_numpy(float))[np.isfinite(sums)])
                stocks.append(float(plan["q95"].sum() / np.nansum(sums)))
                bounds[80].append((wide["q10"], wide["q90"]))
                bounds[95].append((wide["q025"], wide["q975"]))
        for number, name in enumerate(MEMBERS):
            alone = np.where(history.closed[:, cut:], 0.0, to_units(origins[cut].logs[number], origins[cut].unit))
            # Of series that fall back no member says anything of its own.
            alone = np.where(origins[cut].fallback.used[:, None], said["three"][-1], alone)
            said.setdefault(name, []).append(alone)
        for name, contender in CONTENDERS.items():
            if not ours:
                answer, cpu[name] = _timed(partial(contender, as_sold))
                said.setdefault(name, []).append(answer)
        latest = ", ".join(
            f"{name} {_mase(cube.y, each[-1:], (cut,), panel).mean():.3f}" for name, each in said.items()
        )
        print(f"after {cut} periods, MASE: {latest}", flush=True)
    truth = np.concatenate([cube.y[:, cut : cut + horizon] for cut in cuts], axis=1)
    print(f"\n{len(cube.ids)} series, {horizon} periods, {len(cuts)} cuts; MASE in units of the seasonal-naive error")
    errors = {name: _mase(cube.y, answers, cuts, panel) for name, answers in said.items()}
    for name, answers in said.items():
        together = np.concatenate(answers, axis=1)
        cost = f"{cpu[name] / len(cube.ids):.3f} CPU s per series" if name in cpu else ""
        sizes = f"WAPE {wape(truth, together):.4f}  bias {bias(truth, together):+.4f}"
        print(f"{name:26} MASE {errors[name].mean():.4f}  {sizes}  {cost}")
    print(f"the mean of three: bias {bias(truth, np.concatenate(means, axis=1)):+.4f}")
    for level, pairs in bounds.items():
        bottom, top = (np.concatenate(side, axis=1) for side in zip(*pairs, strict=True))
        each = [coverage(truth[:, k * horizon : (k + 1) * horizon], *pair) for k, pair in enumerate(pairs)]
        by_cut = ", ".join(f"{one:.3f}" for one in each)
        print(f"coverage of {level} %: {coverage(truth, bottom, top):.3f}; by cut {by_cut}")
        demand = origins[cuts[-1]].demand
        classes = {str(name): demand == name for name in np.unique(demand)}
        by_class = ", ".join(
            f"{name} {coverage(truth[rows], bottom[rows], top[rows]):.3f} ({rows.sum()})"
            for name, rows in classes.items()
        )
        alone = np.nanquantile([coverage(*one) for one in zip(truth, bottom, top, strict=True)], [0.1, 0.5, 0.9])
        print(f"  by class {by_class}; of single series 10th, 50th, 90th percentile {np.round(alone, 3).tolist()}")
    held, stock = np.concatenate(lasts).mean(), np.mean(stocks)
    asked_for = f"the .95 quantile held {held:.3f}, and is {stock:.2f} times what was sold"
    print(f"demand over a lead time of {LEAD_TIME[cube.frequency]}: {asked_for}")
    names, expected = np.array(cube.category), np.concatenate(means, axis=1)
    biases = [bias(truth[names == name], expected[names == name]) for name in np.unique(names)]
    print(f"bias of the mean by category, median of {len(biases)}: {np.median(np.abs(biases)):.4f} (absolute)")
    best = min(THREE, key=lambda name: errors[name].mean())
    asked = [("three", best), ("three", "four"), ("four", "boosting"), ("four", best)]
    asked += [("three", name) for name in CONTENDERS if name in errors]
    for name, other in asked:
        ratio, low, high = paired_ratio(errors[name], errors[other])
        print(f"{name} / {other:26} {ratio:.3f} [{low:.3f}, {high:.3f}]")


def _known_by(panel: Panel, cut: int) -> Panel:
    """The panel as it was after `cut` periods."""
    known = panel.frame["on"] < panel.cube.dates[cut]
    return replace(panel, frame=panel.frame.assign(y=panel.frame["y"].where(known)))


def _mase(y: Array, answers: list[Array], cuts: tuple[int, ...], panel: Panel) -> Array:
    """The mean over cuts of each series' MASE."""
    season = panel.cube.until(cuts[0], 1).season
    rows = [
        mase(y[:, cut : cut + one.shape[1]], one, naive_scale(y[:, :cut], season))
        for one, cut in zip(answers, cuts, strict=True)
    ]
    return np.asarray(np.nanmean(rows, axis=0))


def _timed(task: Callable[[], _Answer]) -> tuple[_Answer, float]:
    """An answer and the CPU seconds that it took, those of child processes included, running ones too."""
    before = cpu_seconds()
    answer = task()
    return answer, cpu_seconds() - before


if __name__ == "__main__":
    try:
        main()
    except UsageError as error:
        sys.exit(str(error))
