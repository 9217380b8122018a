"""What is wrong with a bundle, found without a workspace: its shape, its times, its tasks, its files, its targets.

What only Databricks knows is not looked at: whether a catalog, a group or a type of machine is there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from jobs import cli
from jobs.deploy import cron, shape
from jobs.deploy.bundle import NAME, PARAMETER, REFERENCE, Bundle, Resolver, UnknownReference
from lakehouse.errors import UsageError
from lakehouse.session import defaults
from lakehouse.settings import ENVIRONMENT, VARIABLE, Settings, load
from ml.families import NAMES as FAMILIES

TARGETS = ("dev", "staging", "prod")
OF_JOB = ("schedule", "queue", "max_concurrent_runs", "timeout_seconds", "email_notifications", "tags", "job_clusters")
OF_TASK = ("job_cluster_key", "libraries", "max_retries", "python_wheel_task", "timeout_seconds")
"""What Databricks lets one leave out, and a job that runs unattended must not."""
SAME_ANSWERS = (
    "spark.sql.session.timeZone",
    "spark.sql.ansi.enabled",
    "spark.sql.parquet.outputTimestampType",
    "spark.databricks.delta.properties.defaults.enableDeletionVectors",
    "spark.databricks.delta.properties.defaults.enableChangeDataFeed",
)
"""Settings of conf/spark-defaults.conf that what is computed and stored depends on."""
_VOLUMES = "/Volumes/"
_PLACE = ("catalog_name", "schema_name", "name")


def problems(root: Path) -> list[str]:
    """All that is wrong with the bundle in a folder, each with file and key. What cannot be read is a `UsageError`.

    Where more than one target is wrong, it is what is wrong with the first.
    """
    bundle = Bundle.read(root)
    if found := [f"{root / NAME}: {told}" for told in dict.fromkeys(_of_root(bundle))]:
        return found
    for target in bundle.targets:
        # What jobs refer to is looked at once it is in order itself.
        found = _once(_of_resources(bundle, target)) or _once(_Deployed(bundle, bundle.resolved(target)).problems())
        if found:
            return found
    return []


def _once(found: Iterator[str]) -> list[str]:
    """What YAML's anchors repeat is told once, with its first place."""
    places: dict[tuple[str, str], list[str]] = {}
    for problem in found:
        file, where, told = problem.split(": ", 2)
        places.setdefault((file, told), []).append(where)
    return [
        f"{file}: {where[0]}: {told}{f' (and at {len(where) - 1} other places)' if where[1:] else ''}"
        for (file, told), where in places.items()
    ]


def _of_root(bundle: Bundle) -> Iterator[str]:
    told = bundle.told
    if wrong := list(shape.wrong(told, shape.Root, "")):
        yield from wrong
        return
    if missing := [name for name in TARGETS if name not in bundle.targets]:
        yield f"targets: {', '.join(missing)} missing"
    default = [name for name, each in told["targets"].items() if each.get("default")]
    if len(default) != 1:
        yield f"targets: one must be the default, and {' and '.join(default) or 'none'} is"
    for name, each in told["targets"].items():
        if each.get("mode") and not (each.get("run_as") and (each.get("workspace") or {}).get("root_path")):
            yield f"targets.{name}: production needs run_as and workspace.root_path, or it runs as whoever deployed it"
    for place, permission in enumerate(told["permissions"]):
        if len(permission) != 2:
            yield f"permissions[{place}]: needs one of group_name, service_principal_name and user_name"
    declared = told["variables"]
    used = {name.removeprefix("var.") for name in REFERENCE.findall(str(told)) if name.startswith("var.")}
    for name in sorted(set(declared) - used):
        yield f"variables.{name}: nothing refers to it"
    for target, each in told["targets"].items():
        for name in sorted(set(each["variables"]) - set(declared)):
            yield f"targets.{target}.variables.{name}: no such variable is declared"
        values = bundle.variables(target)
        for name in sorted(set(declared) - set(values)):
            yield f"targets.{target}.variables: {name} has no default and needs a value"
        for name, value in values.items():
            try:
                Resolver(values, told["resources"]).of(value)
            except UnknownReference as error:
                yield f"variables.{name}: {error}"


def _of_resources(bundle: Bundle, target: str) -> Iterator[str]:
    """What is wrong with each resource by itself."""
    shapes, resolver = shape.of_resources(), Resolver(bundle.variables(target), bundle.told["resources"])
    for kind, named in bundle.told["resources"].items():
        for key, told in named.items():
            file, where = bundle.files[f"{kind}.{key}"], f"resources.{kind}.{key}"
            if kind not in shapes:
                yield f"{file}: {where}: unknown kind of resource; known kinds: {', '.join(shapes)}"
                continue
            try:
                yield from (f"{file}: {each}" for each in shape.wrong(resolver.of(told), shapes[kind], where))
            except UnknownReference as error:
                yield f"{file}: {where}: {error}"


@dataclass(frozen=True)
class _Deployed:
    """A bundle with its resources as one of its targets deploys them."""

    bundle: Bundle
    resources: Mapping[str, Mapping[str, Any]]

    @cached_property
    def _program(self) -> tuple[str, Sequence[str]]:
        """The name of the package and of its commands."""
        told = tomllib.loads((self.bundle.root / "pyproject.toml").read_text())["project"]
        return told["name"], list(told["scripts"])

    @cached_property
    def _volumes(self) -> set[str]:
        """The folders of the Volumes."""
        return {_VOLUMES + "/".join(each[part] for part in _PLACE) for each in self._all("volumes")}

    def _all(self, kind: str) -> list[Mapping[str, Any]]:
        return list(self.resources.get(kind, {}).values())

    def problems(self) -> Iterator[str]:
        """All that is wrong, each with file and key."""
        for key, job in self.resources.get("jobs", {}).items():
            file = self.bundle.files[f"jobs.{key}"]
            yield from (f"{file}: resources.jobs.{key}{each}" for each in self._of_job(job, file))

    def _of_job(self, job: Mapping[str, Any], file: Path) -> Iterator[str]:
        """Each problem follows the job's name."""
        if missing := [key for key in OF_JOB if key not in job]:
            yield f": {', '.join(missing)} missing, which a job that runs unattended needs"
            return
        if not job["email_notifications"].get("on_failure"):
            yield ".email_notifications: nobody is told on_failure"
        yield from (f".schedule.{each}" for each in _of_schedule(job["schedule"]))
        defaulted = {each["name"]: each["default"] for each in job.get("parameters", [])}
        yield from (f".parameters: {each}" for each in self._unknown_volumes(defaulted))
        for place, cluster in enumerate(job["job_clusters"]):
            where = f".job_clusters[{place}].new_cluster"
            yield from (f"{where}.{each}" for each in self._of_cluster(cluster.get("new_cluster") or {}))
        tasks = job.get("tasks", [])
        yield from (f".tasks: {each}" for each in _of_order(tasks))
        clusters = {each["job_cluster_key"] for each in job["job_clusters"]}
        for place, task in enumerate(tasks):
            yield from (f".tasks[{place}]{each}" for each in self._of_task(task, file, clusters, defaulted))

    def _of_cluster(self, cluster: Mapping[str, Any]) -> Iterator[str]:
        ours = defaults(self.bundle.root / "conf" / "spark-defaults.conf")
        for name in SAME_ANSWERS:
            if (found := cluster.get("spark_conf", {}).get(name)) != ours[name]:
                yield f"spark_conf: {name} is {found}, and {ours[name]} in conf/spark-defaults.conf"
        variables = cluster.get("spark_env_vars", {})
        try:
            settings = load(variables.get(ENVIRONMENT, "local"), self.bundle.root / "conf", variables)
        except UsageError as error:
            yield f"spark_env_vars: {error}"
            return
        yield from (f"spark_env_vars: {each}" for each in self._unknown_volumes({"warehouse": settings.warehouse}))
        yield from (f"spark_env_vars: {each}" for each in self._unknown_names(settings))

    def _unknown_volumes(self, paths: Mapping[str, str]) -> Iterator[str]:
        for name, path in paths.items():
            if path.startswith(_VOLUMES) and "/".join(path.split("/")[:5]) not in self._volumes:
                declared = ", ".join(sorted(self._volumes)) or "none"
                yield f"{name}: {path} is in no Volume of the bundle; it has {declared}"

    def _unknown_names(self, settings: Settings) -> Iterator[str]:
        """Where the code asks for an experiment or a model by another name than the bundle declares it."""
        experiments = {each["name"] for each in self._all("experiments")}
        models = {".".join(each[part] for part in _PLACE) for each in self._all("registered_models")}
        for family in FAMILIES:
            if (name := settings.experiment_prefix + family) not in experiments:
                yield f"{VARIABLE}EXPERIMENT_PREFIX: runs are logged to {name}, which is no experiment of the bundle"
            if not any(model.startswith(f"{settings.model_prefix}{family}-") for model in models):
                yield f"{VARIABLE}MODEL_PREFIX: models are {settings.model_prefix}{family}-*, and none is declared"

    def _of_task(
        self, task: Mapping[str, Any], file: Path, clusters: set[str], defaulted: Mapping[str, str]
    ) -> Iterator[str]:
        if missing := [key for key in OF_TASK if key not in task]:
            yield f": {', '.join(missing)} missing"
            return
        if task["job_cluster_key"] not in clusters:
            yield f".job_cluster_key: there is no cluster {task['job_cluster_key']}; there is {', '.join(clusters)}"
        for library in task["libraries"]:
            for kind, path in library.items():
                if isinstance(path, str) and (problem := self._of_file(file.parent / path)):
                    yield f".libraries: {kind} {path}: {problem}"
        wheel, (package, commands) = task["python_wheel_task"], self._program
        if wheel["package_name"] != package or wheel["entry_point"] not in commands:
            yield f".python_wheel_task: pyproject.toml has package {package} with {', '.join(commands)}"
        if problem := refused(wheel.get("parameters", []), defaulted):
            yield f".python_wheel_task.parameters: {problem}"

    def _of_file(self, path: Path) -> str | None:
        """What is wrong with a file that is named: one that is there, or that an artifact builds."""
        if path.suffix != ".whl":
            return None if path.is_file() else "there is no such file"
        builds = " ".join(each["build"] for each in self.bundle.told["artifacts"].values())
        folders = {(self.bundle.root / name).resolve() for name in re.findall(r"--wheel-dir[= ](\S+)", builds)}
        return None if path.parent.resolve() in folders else f"no artifact of {NAME} builds into that folder"


def _of_schedule(told: Mapping[str, Any]) -> Iterator[str]:
    try:
        cron.plain(told["quartz_cron_expression"])
    except ValueError as error:
        yield f"quartz_cron_expression: {told['quartz_cron_expression']!r} {error}"
    try:
        ZoneInfo(told["timezone_id"])
    except (ZoneInfoNotFoundError, ValueError):
        yield f"timezone_id: there is no time zone {told['timezone_id']!r}"


def _of_order(tasks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    keys = [task["task_key"] for task in tasks]
    if not keys:
        yield "there is none"
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        yield f"{', '.join(twice)} stands twice"
    after = {task["task_key"]: [each["task_key"] for each in task.get("depends_on", [])] for task in tasks}
    for key, needed in after.items():
        if unknown := [each for each in needed if each not in keys]:
            yield f"{key} depends on {', '.join(unknown)}, which is no task of the job"
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        yield f"they wait for each other: {' <- '.join(error.args[1])}"


def refused(parameters: Sequence[str], defaulted: Mapping[str, str]) -> str | None:
    """What a command of `shoplake` itself says against its parameters; nothing is run.

    `defaulted` are the job's own parameters with their defaults.
    """
    if unknown := [name for each in parameters for name in PARAMETER.findall(each) if name not in defaulted]:
        return f"the job has no parameter {', '.join(unknown)}"
    values = [PARAMETER.sub(lambda found: defaulted[found[1]], each) for each in parameters]
    name, given = (values[0], values[1:]) if values else ("", [])
    context = click.Context(cli.shoplake, info_name="shoplake")
    command = cli.shoplake.get_command(context, name)
    if command is None:
        return f"shoplake has no command {name!r}; it has {', '.join(cli.JOBS)}"
    try:
        command.make_context(name, given, parent=context)
    except click.ClickException as error:
        return f"shoplake {name}: {error.format_message().rstrip('.')}"
    except click.exceptions.Exit:
        return f"shoplake {name}: asks for help alone"
    return None
