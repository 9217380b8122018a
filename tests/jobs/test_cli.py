"""`shoplake JOB`: what it lists, what a wrong use is told, and that it waits for no library that it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module

import click
import pytest

from jobs import cli
from lakehouse.run import command

HEAVY = ("pyspark", "pandas", "mlflow", "tensorflow", "great_expectations", "polars")


def ended(*arguments: str) -> int:
    return command.run(cli.shoplake, arguments, "shoplake")


def test_every_job_is_listed_and_has_a_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    told = capsys.readouterr().out
    assert ended() == 0
    assert capsys.readouterr().out == told
    for name in cli.JOBS:
        assert f"\n  {name} " in told
        assert ended(name, "--help") == 0
        assert capsys.readouterr().out.startswith(f"Usage: shoplake {name} [OPTIONS]")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out == "shoplake, version 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nonsense",), "shoplake: No such command 'nonsense'; see shoplake --help\n"),
        (("run",), "shoplake run: Missing option '--input'; see shoplake run --help\n"),
        (("train", "nothing"), "shoplake train: Invalid value for '{FORECAST|RECOMMEND|SEGMENT}':"),
        (("files", "withdraw"), "shoplake files: withdraw needs a file, as `list` names it; see shoplake files --help"),
        (("promote-model", "rollback"), "shoplake promote-model: rollback needs a family and --shop; see"),
        (("make-shop", "--output", "shop", "--days", "0"), "shoplake make-shop: --days is 0; it must be at least 1;"),
    ],
)
def test_a_wrong_use_is_one_line(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == 2
    said = capsys.readouterr()
    assert said.err.lower().startswith(told.lower())
    assert said.err.count("\n") == 1
    assert said.out == ""


@pytest.mark.parametrize("name", cli.JOBS)
def test_a_job_is_called_by_its_module_too(name: str) -> None:
    main = import_module(f"jobs.{name.replace('-', '_')}").main
    assert isinstance(main, click.Command)
    assert main(["--help"]) == 0


@pytest.mark.parametrize("asked", ["help", "version", "completion"])
def test_what_needs_no_library_waits_for_none(asked: str) -> None:
    code = f"import sys; from jobs import cli\ntry: cli.main()\nfinally: print(sys.modules.keys() & set({HEAVY}))"
    environment = dict(os.environ)
    if asked == "completion":
        environment |= {"_SHOPLAKE_COMPLETE": "bash_complete", "COMP_WORDS": "shoplake promote-", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", code, *([] if asked == "completion" else [f"--{asked}"])]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert told.endswith("set()\n")
    assert ("plain,promote-model\n" in told) == (asked == "completion")


def test_a_family_waits_for_no_library_of_another() -> None:
    code = "import sys; from ml.families import FAMILIES; FAMILIES['segment']; print(sorted(m for m in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"'ml.forecast.experiment'", "'ml.recommend.experiment'", "'prophet'", "'tensorflow'"} & set(
        told.strip("[]\n").split(", ")
    )
