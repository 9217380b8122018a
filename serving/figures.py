"""Pictures of what tables of gold say, in one style: for notebooks, and for the catalogue's overview.

A picture has one message. Values are plain sequences; money and shares are written as people read them.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

BLUE, ORANGE, GREEN, RED, VIOLET, GREY = "#2f6fb2", "#c8691c", "#3d8a53", "#b3372f", "#7a58a6", "#7b848d"
COLOURS = (BLUE, ORANGE, GREEN, VIOLET, GREY, RED)
"""In the order of their use; each can be told from its neighbours in grey too."""
_INK = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "xtick.labelcolor")
WIDTH = 9.0
Values = Sequence[Any]


def number(value: float, _: int = 0) -> str:
    """A number on an axis: 1.2M, 35k, 0.4."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def share(value: float, _: int = 0) -> str:
    """A share on an axis, in percent."""
    return f"{value:.3g}%" if abs(value) < 0.01 and value else f"{value:.0%}"


def written(value: Any) -> str:
    """A value of a table as people read it: separators in numbers, few decimals, no time at midnight."""
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, datetime):
        is_day = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return f"{value:%Y-%m-%d}" if is_day else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if isinstance(value, Decimal) or abs(value) >= 100 else f"{value:,.3g}"


def over_time(
    days: Sequence[date],
    lines: Mapping[str, Values],
    title: str,
    unit: str,
    *,
    bands: Mapping[str, tuple[Values, Values]] | None = None,
    since: date | None = None,
    height: float = 3.4,
) -> Figure:
    """Lines over days, the first in front, with bands around them, and a mark where what is known ends (`since`)."""
    figure, panel = _panel(height)
    at = np.asarray(days, dtype="datetime64[D]")
    for name, (low, high) in (bands or {}).items():  # a band within another is darker
        panel.fill_between(at, _floats(low), _floats(high), color=BLUE, alpha=0.16, linewidth=0, label=name)
    for place, ((name, values), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        panel.plot(at, _floats(values), color=colour, linewidth=1.8 - 0.6 * place, label=name, zorder=3 - 0.1 * place)
    if since is not None:
        panel.axvline(since, color=GREY, linewidth=1, linestyle=":")  # type: ignore[arg-type]  # a day of the axis
    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]  # matplotlib's
    panel.xaxis.set_major_locator(locator)
    panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # matplotlib's
    _finish(panel, title, unit)
    if panel.get_ylim()[0] > 0:  # a line that falls by a tenth must not look as if it fell to nothing
        panel.set_ylim(bottom=0)
    if len(lines) + len(bands or {}) > 1:
        _legend_above(panel)
    return figure


def bars(
    names: Sequence[Any],
    values: Values,
    title: str,
    unit: str,
    *,
    marked: Sequence[bool] = (),
    written: Any = number,
    width: float = WIDTH,
) -> Figure:
    """One bar for each name, the first at the top, with its value; `marked` ones stand out."""
    figure, panel = _panel(0.9 + 0.3 * len(names), width)
    shades = [ORANGE if mark else BLUE for mark in marked] or BLUE
    drawn = panel.barh([str(name) for name in names], _floats(values), color=shades, height=0.72)
    panel.bar_label(drawn, fmt=written, padding=4, fontsize=9)
    panel.margins(x=0.13)
    _lying(panel, title, unit, written)
    return figure


def stacked(
    names: Sequence[Any], parts: Mapping[str, Values], title: str, unit: str, *, written: Any = number
) -> Figure:
    """One bar for each name, of parts that add up."""
    figure, panel = _panel(1.2 + 0.3 * len(names))
    left = np.zeros(len(names))
    for (name, values), colour in zip(parts.items(), COLOURS, strict=False):
        panel.barh([str(each) for each in names], _floats(values), left=left, color=colour, height=0.72, label=name)
        left += _floats(values)
    _lying(panel, title, unit, written)
    _legend_above(panel)
    return figure


def beside(names: Sequence[Any], values: Mapping[str, Values], title: str, unit: str) -> Figure:
    """Several bars for each name, one under the other."""
    figure, panel = _panel(1.2 + 0.25 * len(names) * len(values))
    thick = 0.8 / len(values)
    for place, ((name, own), colour) in enumerate(zip(values.items(), COLOURS, strict=False)):
        at = np.arange(len(names)) + (place - (len(values) - 1) / 2) * thick
        panel.bar_label(
            panel.barh(at, _floats(own), thick, color=colour, label=name), fmt=number, padding=4, fontsize=9
        )
    panel.set_yticks(range(len(names)), [str(name) for name in names])
    panel.margins(x=0.13)
    _lying(panel, title, unit, number)
    _legend_above(panel)
    return figure


def waterfall(
    names: Sequence[str], changes: Values, before: float, title: str, unit: str, ends: tuple[str, str]
) -> Figure:
    """From a value before, by its changes, to the value after: `ends` name the two."""
    moves = _floats(changes)
    after = before + moves.sum()
    tops = before + np.cumsum(moves)
    figure, panel = _panel(4.2)
    places = range(1, len(moves) + 1)
    panel.bar([0, len(moves) + 1], [before, after], color=BLUE, width=0.62)
    shades = [GREEN if move >= 0 else RED for move in moves]
    panel.bar(places, moves, bottom=tops - moves, color=shades, width=0.62)
    told = [(0, before, f"{before:,.0f}"), (len(moves) + 1, after, f"{after:,.0f}")]
    told += [(at, max(top, top - move), f"{move:+,.0f}") for at, top, move in zip(places, tops, moves, strict=True)]
    for at, top, text in told:
        panel.annotate(text, (at, top), (0, 3), textcoords="offset points", ha="center", fontsize=9)
    panel.set_xticks(range(len(moves) + 2), [ends[0], *names, ends[1]])
    highest, lowest = max(top for _, top, _ in told), min(0.0, before, *tops)
    panel.set_ylim(lowest * 1.12, highest * 1.12)  # room for what is written above
    _finish(panel, title, unit)
    return figure


def heat(
    rows: Sequence[Any], columns: Sequence[Any], values: Any, title: str, columns_are: str, *, written: Any = share
) -> Figure:
    """A grid of values, darker where they are greater; what is not known stays empty."""
    grid = np.ma.masked_invalid(_floats(values))
    figure, panel = _panel(1.3 + 0.27 * len(rows))
    low, high = (0.0, 1.0) if grid.count() == 0 else (float(grid.min()), float(np.quantile(grid.compressed(), 0.95)))
    panel.imshow(grid, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    panel.set_xticks(range(len(columns)), [str(column) for column in columns])
    panel.set_yticks(range(len(rows)), [str(row) for row in rows])
    for (row, column), value in np.ndenumerate(grid):
        if value is not np.ma.masked:
            shade = "white" if value > low + 0.6 * (high - low) else "black"
            panel.text(column, row, written(float(value)), ha="center", va="center", fontsize=8, color=shade)
    panel.spines[:].set_visible(False)
    panel.set_title(title, loc="left", fontsize=11)
    panel.set_xlabel(columns_are, fontsize=9)
    panel.tick_params(labelsize=9, length=0)
    return figure


def scatter(groups: Mapping[str, tuple[Values, Values]], title: str, x: str, y: str, *, log: bool = False) -> Figure:
    """Points of several groups, the first in front."""
    figure, panel = _panel(4.4)
    for (name, (xs, ys)), colour in zip(groups.items(), COLOURS, strict=False):
        panel.scatter(_floats(xs), _floats(ys), s=14, color=colour, alpha=0.6, linewidths=0, label=name)
    if log:
        panel.set(xscale="log", yscale="log")
    _finish(panel, title, y)
    panel.set_xlabel(x, fontsize=9)
    panel.legend(frameon=False, fontsize=9, bbox_to_anchor=(1.0, 1.0), loc="upper left")
    return figure


@contextmanager
def in_the_dark() -> Iterator[None]:
    """Pictures made and written within are for a dark ground."""
    ink: Any = dict.fromkeys(_INK, "#e8e6e1")
    with rc_context(ink):
        yield


def svg(figure: Figure) -> str:
    """A picture as SVG on no ground of its own, the same for the same picture."""
    held = io.StringIO()
    with rc_context({"svg.hashsalt": "shoplake"}):
        figure.savefig(held, format="svg", transparent=True, metadata={"Date": None})
    return held.getvalue()


def _panel(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    panel = figure.subplots()
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel


def _lying(panel: Axes, title: str, unit: str, written: Callable[[float, int], str]) -> None:
    panel.invert_yaxis()
    panel.set_title(title, loc="left", fontsize=11)
    panel.set_xlabel(unit, fontsize=9)
    panel.xaxis.set_major_formatter(FuncFormatter(written))
    panel.tick_params(labelsize=9)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)


def _legend_above(panel: Axes) -> None:
    panel.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2)
    panel.set_title(panel.get_title(loc="left"), loc="left", fontsize=11, pad=24)


def _finish(panel: Axes, title: str, unit: str) -> None:
    panel.set_title(title, loc="left", fontsize=11)
    panel.set_ylabel(unit, fontsize=9)
    if panel.get_yscale() == "linear":
        panel.yaxis.set_major_formatter(FuncFormatter(number))
    panel.tick_params(labelsize=9)
    panel.grid(axis="y", alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers as they are drawn, decimals too; none is not a number."""
    return np.asarray(
        [np.nan if each is None else each for each in values] if np.ndim(values) == 1 else values, dtype=float
    )
