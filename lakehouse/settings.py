"""The one door to configuration: conf/base.yaml, then conf/<env>.yaml on top of it, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from lakehouse.errors import UsageError

_HERE = Path(__file__).resolve().parent
# Beside the packages in a clone, inside this one where it is installed.
CONF = next((path for path in (_HERE.parent / "conf", _HERE / "conf") if path.is_dir()), _HERE / "conf")


@dataclass(frozen=True)
class Settings:
    """What a run may be configured with.

    `warehouse` is the folder of all tables; `lock_wait_seconds` how long to wait for a table that another process
    writes; `stage_tasks` how many tasks read delivered files at once; `pseudonym_key` the secret for personal data (by
    default one is made per warehouse and kept in `ops/pseudonym.key`); `mlflow` the tracking store (by default SQLite
    in the warehouse's `ops/mlflow`); `spellings` what words of a feed stand for, by bronze table and column
    (`bronze.shop_payments.method`): they are read as the words of our vocabulary, in any case.
    """

    warehouse: str
    lock_wait_seconds: int
    stage_tasks: int
    pseudonym_key: str | None = None
    mlflow: str | None = None
    spellings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        told: Mapping[str, Any] = self.spellings
        for name, words in told.items():
            is_told = isinstance(words, Mapping) and all(isinstance(w, str) for pair in words.items() for w in pair)
            if name.count(".") != 2 or not is_told:
                raise TypeError(
                    f"spellings: {name}: must be bronze.<table>.<column> with pairs of texts; put what YAML takes for"
                    " something else, such as no, 1 or 2024-01-01, into quotes"
                )

    def spelt(self, table: str) -> dict[str, dict[str, str]]:
        """Of a bronze table, by column: what its words stand for."""
        found = {name.rpartition("."): dict(words) for name, words in self.spellings.items()}
        return {column: words for (named, _, column), words in found.items() if named == table}


def load(env: str, conf: Path = CONF) -> Settings:
    """The settings of an environment. An unknown environment or key is a `UsageError` that lists the known ones."""
    path = conf / f"{env}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in conf.glob("*.yaml") if p.stem != "base")
        raise UsageError(f"--env {env}: there is no {path.name} in {conf}; known environments: {', '.join(known)}")
    values = {**_read(conf / "base.yaml"), **_read(path)}
    known_keys = {f.name for f in fields(Settings)}
    if wrong := sorted(set(values) - known_keys):
        raise UsageError(f"{path}: unknown keys {', '.join(wrong)}; known keys: {', '.join(sorted(known_keys))}")
    try:
        return Settings(**values)
    except TypeError as error:
        raise UsageError(f"{path}: {error}") from error


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from error
