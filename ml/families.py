"""All families of models by name. A shop is served by the experiment of the family whose tables know it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ml.core.manifest import check_files

if TYPE_CHECKING:
    from ml.core.experiment import Experiment, Model

NAMES = ("recommend", "forecast", "segment")


class _Families(Mapping[str, "tuple[Experiment, ...]"]):
    """A family is imported when it is asked for, with the libraries that it needs."""

    def __getitem__(self, name: str) -> tuple[Experiment, ...]:
        if name not in NAMES:
            raise KeyError(name)
        found: tuple[Experiment, ...] = import_module(f"ml.{name}.experiment").EXPERIMENTS
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


FAMILIES = _Families()


def load(family: str, folder: Path) -> Model:
    """Read a model of a family. Registered models call this by name, so it stays."""
    check_files(folder)
    return FAMILIES[family][0].load(folder)
