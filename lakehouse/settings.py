"""The one door to configuration: conf/base.yaml, conf/<env>.yaml on top of it, SHOPLAKE_<KEY> on top of both; typed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from lakehouse.errors import UsageError

_HERE = Path(__file__).resolve().parent
# Beside the packages in a clone, inside this one where it is installed.
CONF = next((path for path in (_HERE.parent / "conf", _HERE / "conf") if path.is_dir()), _HERE / "conf")
VARIABLE = "SHOPLAKE_"
"""What the names of environment variables begin with that are laid over conf/: SHOPLAKE_WAREHOUSE, and so on."""
ENVIRONMENT = f"{VARIABLE}ENV"
"""The variable that says which environment it is, where no --env does."""


@dataclass(frozen=True)
class Settings:
    """What a run may be configured with.

    `warehouse` is the folder of all tables; `lock_wait_seconds` how long to wait for a table that another process
    writes; `stage_tasks` how many tasks read delivered files at once; `pseudonym_key` the secret for personal data (by
    default one is made per warehouse and kept in `ops/pseudonym.key`); `mlflow` the tracking store (by default SQLite
    in the warehouse's `ops/mlflow`) and `mlflow_registry` that of registered models (by default the same);
    `experiment_prefix` and `model_prefix` what names in them begin with, such as a workspace folder, or a catalog and
    schema; `spellings` what words of a feed stand for, by bronze table and column (`bronze.shop_payments.method`): they
    are read as the words of our vocabulary, in any case.
    """

    warehouse: str
    lock_wait_seconds: int
    stage_tasks: int
    pseudonym_key: str | None = None
    mlflow: str | None = None
    mlflow_registry: str | None = None
    experiment_prefix: str = ""
    model_prefix: str = ""
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


def load(env: str, conf: Path = CONF, variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment. If it, a key or a variable is unknown, that is a `UsageError` with the known."""
    path = conf / f"{env}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in conf.glob("*.yaml") if p.stem != "base")
        raise UsageError(f"--env {env}: there is no {path.name} in {conf}; known environments: {', '.join(known)}")
    values = {**read_yaml(conf / "base.yaml"), **read_yaml(path)}
    known_keys = {f.name for f in fields(Settings)}
    if wrong := sorted(set(values) - known_keys):
        raise UsageError(f"{path}: unknown keys {', '.join(wrong)}; known keys: {', '.join(sorted(known_keys))}")
    try:
        return Settings(**(values | _told(variables)))
    except TypeError as error:
        raise UsageError(f"{path}: {error}") from error


def _told(variables: Mapping[str, str]) -> dict[str, Any]:
    """What environment variables say, by key. An unknown one is a `UsageError`, and so is a number that is none."""
    kinds = {VARIABLE + f.name.upper(): f for f in fields(Settings)}
    told = {name: text for name, text in variables.items() if name.startswith(VARIABLE) and name != ENVIRONMENT}
    if wrong := sorted(set(told) - set(kinds)):
        raise UsageError(f"environment: unknown variables {', '.join(wrong)}; known variables: {', '.join(kinds)}")
    found: dict[str, Any] = {}
    for name, text in told.items():
        is_text = str(kinds[name].type).startswith("str")
        try:
            found[kinds[name].name] = text if is_text else yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"environment: {name}={text} is not valid YAML: {_first(error)}") from error
        if kinds[name].type == "int" and not isinstance(found[kinds[name].name], int):
            raise UsageError(f"environment: {name}={text} is no whole number")
    return found


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would let the second one win without a word."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if (name := str(key.value)) in seen:
                raise yaml.MarkedYAMLError(problem=f"{name} stands twice", problem_mark=key.start_mark)
            seen.add(name)
        return node


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. One that is no YAML, or no mapping, is a `UsageError` with the line."""
    try:
        found = yaml.load(path.read_text(), _Loader)
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {_first(error)}") from error
    if not isinstance(found, dict | None):
        raise UsageError(f"{path}: must hold keys and values, and holds {type(found).__name__}")
    return found or {}


def _first(error: yaml.YAMLError) -> str:
    """What is wrong, and in which line."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    told = problem or str(error).splitlines()[0]
    return f"{told} (line {mark.line + 1})" if mark else told
