"""Configuration is values, typed and checked, with one message about what is wrong."""

from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.settings import Settings, load

BASE = "warehouse: tables\nlock_wait_seconds: 5\nstage_tasks: 2\n"


def conf(folder: Path, **files: str) -> Path:
    for name, text in ({"base": BASE, "mars": ""} | files).items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_an_environment_is_laid_over_the_base(tmp_path: Path) -> None:
    found = load("mars", conf(tmp_path, mars="stage_tasks: 8\n"))
    assert found == Settings(warehouse="tables", lock_wait_seconds=5, stage_tasks=8)


def test_an_environment_may_differ_in_nothing(tmp_path: Path) -> None:
    assert load("mars", conf(tmp_path)).stage_tasks == 2


@pytest.mark.parametrize(
    ("files", "env", "message"),
    [
        ({}, "venus", r"--env venus: there is no venus\.yaml in .*; known environments: mars"),
        ({"mars": "lock_wait: 1\n"}, "mars", r"mars\.yaml: unknown keys lock_wait; known keys: .*lock_wait_seconds, "),
        ({"mars": "a: [1\n"}, "mars", r"mars\.yaml is not valid YAML: .* \(line 2\)"),
        ({"mars": "a: 1\nb: 2\na: 3\n"}, "mars", r"mars\.yaml is not valid YAML: a stands twice \(line 3\)"),
        ({"mars": "- a\n"}, "mars", r"mars\.yaml: must hold keys and values, and holds list"),
        ({"mars": "spellings: {bronze.a.b: {x: no}}\n"}, "mars", r"spellings: bronze\.a\.b: must be .* into quotes"),
        ({"mars": "spellings: {a.b: {x: y}}\n"}, "mars", r"spellings: a\.b: must be bronze\.<table>\.<column>"),
        ({"base": "warehouse: tables\n"}, "mars", r"mars\.yaml: .*missing .* 'lock_wait_seconds' and 'stage_tasks'"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(
    tmp_path: Path, files: dict[str, str], env: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        load(env, conf(tmp_path, **files))


def test_the_settings_of_the_clone_are_complete() -> None:
    assert load("local", variables={}).warehouse == "warehouse"
    assert load("databricks", variables={}).mlflow_registry == "databricks-uc"


def test_variables_lie_over_the_files(tmp_path: Path) -> None:
    told = {"SHOPLAKE_WAREHOUSE": "/srv", "SHOPLAKE_STAGE_TASKS": "9", "SHOPLAKE_PSEUDONYM_KEY": "12", "OTHER": "1"}
    found = load("mars", conf(tmp_path), told)
    assert (found.warehouse, found.stage_tasks, found.pseudonym_key) == ("/srv", 9, "12")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SHOPLAKE_WAREHOSE", "x", "environment: unknown variables SHOPLAKE_WAREHOSE; known variables: SHOPLAKE_WARE"),
        ("SHOPLAKE_STAGE_TASKS", "many", "environment: SHOPLAKE_STAGE_TASKS=many is no whole number"),
        ("SHOPLAKE_SPELLINGS", "{a", r"environment: SHOPLAKE_SPELLINGS=\{a is not valid YAML: .* \(line 1\)"),
    ],
)
def test_a_variable_that_is_wrong_is_named(tmp_path: Path, name: str, value: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load("mars", conf(tmp_path), {name: value})
