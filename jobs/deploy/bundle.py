"""The bundle that Databricks deploys as values: databricks.yml with what it includes, for one of its targets.

Its jobs are the one list of what runs when; Airflow's DAGs are made of it. Nothing heavy is imported here, because a
scheduler reads it again and again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jobs.deploy import cron
from lakehouse.errors import UsageError
from lakehouse.settings import read_yaml

NAME = "databricks.yml"
REFERENCE = re.compile(r"\$\{([\w.-]+)\}")
PARAMETER = re.compile(r"\{\{\s*job\.parameters\.(\w+)\s*\}\}")
OF_DEPLOYMENT = ("bundle.", "workspace.")
"""References to what is known when it is deployed."""


@dataclass(frozen=True)
class Task:
    """A command of `shoplake` in a job. `after` are the tasks that must have succeeded; times are in seconds."""

    key: str
    parameters: tuple[str, ...]
    after: tuple[str, ...]
    retries: int
    retry_delay: int
    timeout: int


@dataclass(frozen=True)
class Job:
    """Tasks that run at the same times. `cron` is plain cron in `zone`; `parameters` have their defaults."""

    key: str
    name: str
    description: str
    cron: str
    zone: str
    timeout: int
    parameters: Mapping[str, str]
    tasks: tuple[Task, ...]


class UnknownReference(UsageError):
    """A value refers to what is not there. Exit code 2."""


@dataclass(frozen=True)
class Bundle:
    """What the files of a bundle say. `files` tells where each resource stands: `jobs.daily` -> the file."""

    root: Path
    told: Mapping[str, Any]
    files: Mapping[str, Path]

    @classmethod
    def read(cls, root: Path) -> Bundle:
        """The bundle in a folder. A missing file, or a resource that two files declare, is a `UsageError`."""
        path = root / NAME
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file; name the folder of the bundle with --root")
        told = read_yaml(path)
        included = [file for pattern in told.get("include") or [] for file in _included(root, pattern)]
        resources: dict[str, dict[str, Any]] = {}
        files: dict[str, Path] = {}
        for file in [path, *included]:
            parts = told if file == path else read_yaml(file)
            if file != path and set(parts) != {"resources"}:
                raise UsageError(f"{file}: resources are looked for here, and there are {', '.join(parts) or 'none'}")
            for kind, named in (parts.get("resources") or {}).items():
                if not isinstance(named, dict):
                    raise UsageError(f"{file}: resources.{kind}: must hold names with what they are, and is {named!r}")
                for key, resource in named.items():
                    if earlier := files.get(f"{kind}.{key}"):
                        raise UsageError(f"{file}: resources.{kind}.{key} stands in {earlier} too")
                    files[f"{kind}.{key}"] = file
                    resources.setdefault(kind, {})[key] = resource
        return cls(root, told | {"resources": resources}, files)

    @property
    def targets(self) -> list[str]:
        """The names of the targets."""
        return list(self.told.get("targets") or {})

    def variables(self, target: str) -> dict[str, Any]:
        """The values of the variables: of the environment (BUNDLE_VAR_<name>), the target, or the default."""
        declared = self.told.get("variables") or {}
        values = {name: each["default"] for name, each in declared.items() if "default" in (each or {})}
        values |= self.told["targets"][target].get("variables") or {}
        asked = {name: os.environ.get(f"BUNDLE_VAR_{name}") for name in declared}
        return values | {name: value for name, value in asked.items() if value is not None}

    def resolved(self, target: str) -> dict[str, Any]:
        """The resources, by kind and key, as a target deploys them; see `Resolver`."""
        resources = self.told["resources"]
        found: dict[str, Any] = Resolver(self.variables(target), resources).of(resources)
        return found

    def jobs(self, target: str) -> Iterator[Job]:
        """The jobs of a target."""
        for key, told in self.resolved(target)["jobs"].items():
            schedule = told["schedule"]
            yield Job(
                key,
                told["name"],
                told.get("description", ""),
                cron.plain(schedule["quartz_cron_expression"]),
                schedule["timezone_id"],
                told["timeout_seconds"],
                {each["name"]: each["default"] for each in told.get("parameters", [])},
                tuple(_task(each) for each in told["tasks"]),
            )


def _included(root: Path, pattern: str) -> list[Path]:
    found = sorted(root.glob(pattern))
    if not found:
        raise UsageError(f"{root / NAME}: include: no file is {pattern}")
    return found


def _task(told: Mapping[str, Any]) -> Task:
    return Task(
        told["task_key"],
        tuple(told["python_wheel_task"]["parameters"]),
        tuple(each["task_key"] for each in told.get("depends_on", [])),
        told["max_retries"],
        told.get("min_retry_interval_millis", 0) // 1000,
        told["timeout_seconds"],
    )


@dataclass(frozen=True)
class Resolver:
    """Puts values in the place of `${var.name}` and `${resources.kind.key.field}`."""

    values: Mapping[str, Any]
    resources: Mapping[str, Any]

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {"var": self.values, "resources": self.resources}

    def of(self, told: Any) -> Any:
        """What was told, with values. A name of nothing, or of what refers to itself, is an `UnknownReference`."""
        try:
            return self._of(told)
        except RecursionError as error:
            raise UnknownReference("what it refers to refers to itself") from error

    def _of(self, told: Any) -> Any:
        if isinstance(told, Mapping):
            return {key: self._of(value) for key, value in told.items()}
        if isinstance(told, list):
            return [self._of(each) for each in told]
        if not isinstance(told, str):
            return told
        if (whole := REFERENCE.fullmatch(told)) and not whole[1].startswith(OF_DEPLOYMENT):
            return self._of(self._value(whole[1]))
        return REFERENCE.sub(self._text, told)

    def _text(self, found: re.Match[str]) -> str:
        return found[0] if found[1].startswith(OF_DEPLOYMENT) else str(self._of(self._value(found[1])))

    def _value(self, reference: str) -> Any:
        value: Any = self._known
        for part in reference.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise UnknownReference(f"${{{reference}}}: nothing is declared by that name")
            value = value[part]
        return value
