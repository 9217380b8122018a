"""Whether what YAML says has the shape of what Databricks takes: its keys, their types, what must be there.

The SDK has the shape of each request as classes and signatures, but drops silently what it does not know. So they are
followed here, key by key. It has none for databricks.yml itself: of that, these are the keys that we use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass
class _Named:
    name: str
    databricks_cli_version: str | None = None


@dataclass
class _Artifact:
    type: Literal["whl"]
    build: str
    path: str


@dataclass
class _Variable:
    description: str
    default: Any = None


@dataclass
class Permission:
    """Who may do what with the jobs, experiments and models of a bundle."""

    level: Literal["CAN_MANAGE", "CAN_RUN", "CAN_VIEW"]
    group_name: str | None = None
    service_principal_name: str | None = None
    user_name: str | None = None


@dataclass
class Grant:
    """Who may do what in Unity Catalog."""

    principal: str
    privileges: list[str]


@dataclass
class _Presets:
    tags: dict[str, str] | None = None
    trigger_pause_status: Literal["PAUSED", "UNPAUSED"] | None = None


@dataclass
class _Workspace:
    root_path: str | None = None
    host: str | None = None
    profile: str | None = None


@dataclass
class _RunAs:
    service_principal_name: str | None = None
    user_name: str | None = None


@dataclass
class _Target:
    variables: dict[str, Any]
    presets: _Presets
    default: bool = False
    mode: Literal["production"] | None = None
    workspace: _Workspace | None = None
    run_as: _RunAs | None = None


@dataclass
class Root:
    """databricks.yml. What it includes are resources."""

    bundle: _Named
    include: list[str]
    artifacts: dict[str, _Artifact]
    variables: dict[str, _Variable]
    permissions: list[Permission]
    targets: dict[str, _Target]
    resources: dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Keys with their types, those that must be there, and what to call all of them."""

    name: str
    types: Mapping[str, Any]
    required: frozenset[str]

    @classmethod
    def of_class(cls, kind: type) -> Shape:
        """The shape of a data class; what has no default must be there."""
        must = frozenset(f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
        return cls(kind.__name__.strip("_"), get_type_hints(kind), must)

    @classmethod
    def of_request(cls, name: str, create: Callable[..., Any], required: frozenset[str] = frozenset()) -> Shape:
        """The shape of what a function of the SDK takes, with more that must be there than its signature says."""
        given = {n: p for n, p in inspect.signature(create).parameters.items() if n != "self"}
        must = frozenset(n for n, p in given.items() if p.default is inspect.Parameter.empty)
        hints = get_type_hints(create)
        return cls(name, {n: hints[n] for n in given}, must | required)

    def with_keys(self, **types: Any) -> Shape:
        """The shape with more keys, which may be left out."""
        return Shape(self.name, {**self.types, **types}, self.required)


def of_resources() -> dict[str, Shape]:
    """What each kind of resource must look like."""
    from databricks.sdk.service import catalog, jobs, ml

    placed = frozenset({"name", "catalog_name", "schema_name"})
    grants = {"grants": list[Grant]}
    return {
        "jobs": Shape.of_class(jobs.JobSettings).with_keys(permissions=list[Permission]),
        "schemas": Shape.of_request("Schema", catalog.SchemasAPI.create).with_keys(**grants),
        "volumes": Shape.of_request("Volume", catalog.VolumesAPI.create).with_keys(**grants),
        "registered_models": Shape.of_request("RegisteredModel", catalog.RegisteredModelsAPI.create, placed).with_keys(
            **grants
        ),
        "experiments": Shape.of_request("Experiment", ml.ExperimentsAPI.create_experiment).with_keys(
            permissions=list[Permission]
        ),
    }


def wrong(told: Any, kind: Any, where: str) -> Iterator[str]:
    """What is wrong with a value that should be of a type or a `Shape`, each with the key it is wrong at."""
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not NoneType]
        yield from wrong(told, kinds[0], where)
    elif isinstance(kind, Shape):
        yield from _wrong_keys(told, kind, where)
    elif isinstance(kind, type) and is_dataclass(kind):
        yield from _wrong_keys(told, Shape.of_class(kind), where)
    elif get_origin(kind) is list:
        if not isinstance(told, list):
            yield f"{where}: must be a list, and is {told!r}"
            return
        for place, each in enumerate(told):
            yield from wrong(each, get_args(kind)[0], f"{where}[{place}]")
    elif get_origin(kind) is dict:
        if not isinstance(told, Mapping):
            yield f"{where}: must hold keys and values, and is {told!r}"
            return
        for key, each in told.items():
            yield from wrong(each, get_args(kind)[1], f"{where}.{key}")
    elif kind is not Any and not _is(told, kind):
        yield f"{where}: must be {_called(kind)}, and is {told!r}"


def _wrong_keys(told: Any, shape: Shape, where: str) -> Iterator[str]:
    if not isinstance(told, Mapping):
        yield f"{where}: must be a {shape.name}, and is {told!r}"
        return
    for key in sorted(shape.required - set(told)):
        yield f"{where}: {key} is missing"
    for key, each in told.items():
        if key in shape.types:
            yield from wrong(each, shape.types[key], f"{where}.{key}" if where else key)
        else:
            yield f"{where}.{key}: a {shape.name} has no such key" if where else f"{key}: there is no such key"


def _is(told: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return told in get_args(kind)
    if issubclass(kind, Enum):
        return told in [each.value for each in kind]
    return isinstance(told, kind) and not (kind is int and isinstance(told, bool))


def _called(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if issubclass(kind, Enum):
        return " or ".join(str(each.value) for each in kind)
    names: dict[Any, str] = {str: "a text (in quotes)", int: "a whole number", bool: "true or false"}
    return names.get(kind) or str(kind.__name__)
