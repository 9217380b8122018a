"""A notebook in Databricks' source format, run on this machine: its file becomes cells, and these a page.

A notebook may use two names that Databricks puts into every notebook: `dbutils`, of which `dbutils.widgets` holds its
parameters, and `display`. Here both come from this module, so that one file runs unchanged in both places.
"""

from __future__ import annotations

import base64
import io
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from lakehouse import catalogue
from lakehouse.errors import LakehouseError, UsageError
from serving import figures

HEADER, SEPARATOR, MAGIC, TEXT = "# Databricks notebook source", "# COMMAND ----------", "# MAGIC", "%md"
SHOWN = 50
"""Rows of a table that a page shows."""


class NotebookFailed(LakehouseError):
    """A cell of a notebook raised an error that nobody foresaw. Exit code 1."""


@dataclass(frozen=True)
class Cell:
    """A cell: Python, or Markdown if `is_text`; `line` is that of the file at which it begins."""

    line: int
    source: str
    is_text: bool = False


@dataclass(frozen=True)
class Done:
    """A cell that ran, and what it brought in order: text that was printed, tables and pictures."""

    cell: Cell
    outputs: Sequence[str | pd.DataFrame | Figure] = ()


@dataclass
class Widgets:
    """Parameters of a notebook, as `dbutils.widgets` has them: declared with defaults, which `given` overrides."""

    given: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: N803, ARG002 - the interface's
        """Declare a parameter."""
        self.values[name] = self.given.get(name, defaultValue)

    def get(self, name: str) -> str:
        """The value of a parameter that was declared."""
        return self.values[name]


@dataclass(frozen=True)
class Utilities:
    """What a notebook may use of `dbutils`."""

    widgets: Widgets


def title(path: Path) -> str:
    """The heading of a notebook."""
    first = next((cell for cell in cells(path) if cell.is_text), Cell(0, ""))
    return next((line.lstrip("# ") for line in first.source.splitlines() if line.startswith("#")), path.stem)


def cells(path: Path) -> list[Cell]:
    """The cells of a notebook's file; a `UsageError` where it is no notebook or has a magic other than `%md`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0].strip() != HEADER:
        raise UsageError(f"{path}: the first line of a notebook must be {HEADER!r}")
    starts = [1, *(number for number, line in enumerate(lines, 1) if line.strip() == SEPARATOR), len(lines) + 1]
    found = (_cell(path, start + 1, lines[start : end - 1]) for start, end in pairwise(starts))
    return [cell for cell in found if cell.source.strip()]


def _cell(path: Path, line: int, lines: Sequence[str]) -> Cell:
    magic = [text.removeprefix(MAGIC).removeprefix(" ") for text in lines if text.startswith(MAGIC)]
    if not magic:
        return Cell(line, "\n".join(lines))
    if not magic[0].startswith(TEXT):
        raise UsageError(
            f"{path}:{line}: {magic[0].split()[0]} runs on Databricks alone; a notebook here has {TEXT} only"
        )
    return Cell(line, "\n".join([magic[0].removeprefix(TEXT), *magic[1:]]), is_text=True)


def run(path: Path, given: Mapping[str, str]) -> list[Done]:
    """Run a notebook with parameters; a wrong one is a `UsageError`, an error in a cell is told with its line."""
    widgets, outputs = Widgets(given), list[Any]()
    names = {"__name__": "__main__", "dbutils": Utilities(widgets), "display": outputs.append}
    done = []
    for cell in cells(path):
        if not cell.is_text:
            _execute(path, cell, names, outputs)
        done.append(Done(cell, tuple(map(_shown, outputs))))
        outputs.clear()
    if unknown := sorted(set(given) - set(widgets.values)):
        raise UsageError(f"{path.stem} has no parameter {', '.join(unknown)}; it has {', '.join(widgets.values)}")
    return done


class _Printed(io.TextIOBase):
    """Text that is printed, among what is displayed."""

    def __init__(self, outputs: list[Any]) -> None:
        self._outputs = outputs

    def write(self, text: str) -> int:
        if self._outputs and isinstance(self._outputs[-1], str):
            text = self._outputs.pop() + text
        self._outputs.append(text)
        return len(text)


def _execute(path: Path, cell: Cell, names: dict[str, Any], outputs: list[Any]) -> None:
    code = compile("\n" * (cell.line - 1) + cell.source, str(path), "exec")
    try:
        with redirect_stdout(_Printed(outputs)):
            exec(code, names)
    except LakehouseError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        told = next(iter(str(error).splitlines()), "")
        raise NotebookFailed(f"{path}:{lines[-1] if lines else cell.line}: {type(error).__name__}: {told}") from error


def _shown(output: Any) -> str | pd.DataFrame | Figure:
    return output if isinstance(output, (str, pd.DataFrame, Figure)) else repr(output)


# --- the page ---------------------------------------------------------------------------------------------------------


def page(path: Path, done: Sequence[Done], at: datetime, about: str) -> str:
    """The notebook with what its cells brought, as one HTML file that needs nothing else; `about` says of what."""
    parts = [part for each in done for part in _parts(each)]
    return _templates().get_template("notebook.html.j2").render(title=title(path), parts=parts, at=at, about=about)


def _parts(done: Done) -> Iterator[dict[str, Any]]:
    if done.cell.is_text:
        yield {"text": _markdown().render(done.cell.source)}
        return
    yield {"code": done.cell.source.strip()}
    for output in done.outputs:
        if isinstance(output, Figure):
            yield {"picture": _png(output), "alt": _told(output)}
        elif isinstance(output, pd.DataFrame):
            yield {"table": output.head(SHOWN), "more": max(0, len(output) - SHOWN)}
        elif output.strip():
            yield {"printed": output.strip()}


def _png(figure: Figure) -> str:
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return base64.b64encode(held.getvalue()).decode()


def _told(figure: Figure) -> str:
    """What a picture says, in words: its titles."""
    titles = [figure.get_suptitle(), *(panel.get_title(loc) for panel in figure.axes for loc in ("left", "center"))]
    return "; ".join(filter(None, titles))


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def _templates() -> Environment:
    folders = [Path(__file__).parent / "templates", Path(catalogue.__file__).parent / "templates"]
    made = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["written"] = figures.written
    return made
