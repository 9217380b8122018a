"""Workflows, pipelines, the image and the compose file name what is there, and are taken by their linters."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.deploy.check import TARGETS, refused
from lakehouse.settings import load, read_yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIPELINES = ROOT / "azure-pipelines.yml"
IMAGE, COMPOSE = ROOT / "Dockerfile", ROOT / "compose.yaml"
LINTERS = {
    "actionlint": [*map(str, WORKFLOWS)],
    "zizmor": ["--offline", *map(str, WORKFLOWS)],
    "hadolint": [str(IMAGE)],
}


def values(told: Any, name: str) -> Iterator[str]:
    """What stands at a key, however deep."""
    if isinstance(told, dict):
        for key, each in told.items():
            if key == name and isinstance(each, str):
                yield each
            yield from values(each, name)
    elif isinstance(told, list):
        for each in told:
            yield from values(each, name)


def commands() -> list[list[str]]:
    texts = [text for path in WORKFLOWS for text in values(read_yaml(path), "run")]
    texts += values(read_yaml(PIPELINES), "script")
    return [shlex.split(line) for text in texts for line in text.splitlines()]


def test_both_run_the_same_checks() -> None:
    of_workflows = {path.stem: read_yaml(path) for path in WORKFLOWS}
    for told in (of_workflows["deploy"], read_yaml(PIPELINES)):
        text = str(told)
        assert text.index(".ci/run") < text.index("shoplake bundle check") < text.index("bundle deploy")
    assert {"staging", "prod"} <= set(TARGETS)


def test_what_is_run_is_there() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    seen = set()
    for program, *given in commands():
        if program == ".venv/bin/shoplake":
            assert refused(given, {}) is None
        elif program == "make":
            assert set(given) <= set(targets)
        elif "/" in program:
            assert (ROOT / program).stat().st_mode & 0o111
        else:
            assert program in ("curl", "databricks", "docker")
        seen.add(program)
    assert seen >= {".ci/run", ".venv/bin/shoplake", "databricks"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_actions_of_others_are_pinned_by_their_hash(path: Path) -> None:
    used = list(values(read_yaml(path), "uses"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action)


@pytest.mark.parametrize("linter", LINTERS)
def test_its_linter_finds_nothing(linter: str) -> None:
    if shutil.which(linter) is None:
        pytest.skip(f"{linter} is not installed")
    ended = subprocess.run([linter, *LINTERS[linter]], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_image_is_made_of_what_is_there() -> None:
    stages: list[str] = []
    for line in IMAGE.read_text().splitlines():
        word, *given = line.split() or [""]
        if word == "FROM":
            assert given[0] in stages or ":" in given[0]
            stages.append(given[-1])
        if word == "COPY":
            assert all((ROOT / name).exists() for name in given[:-1])
    assert stages == ["shoplake", "mlflow"]


def test_services_are_started_as_their_commands_allow() -> None:
    told = read_yaml(COMPOSE)
    built = {
        service["image"]: service["build"]["target"] for service in told["services"].values() if "build" in service
    }
    assert built == {"shoplake": "shoplake", "shoplake-mlflow": "mlflow"}
    for name, service in told["services"].items():
        for volume in service.get("volumes", []):
            place = volume.split(":")[0]
            assert place in told["volumes"] or place.startswith("${"), name
        if service["image"] == "shoplake":
            assert load("local", variables=service["environment"]).mlflow == "http://mlflow:5000"
            if given := service.get("command"):
                assert refused(given, {}) is None


def test_only_what_is_meant_for_others_is_open_to_them() -> None:
    ports = [port for service in read_yaml(COMPOSE)["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
