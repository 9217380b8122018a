"""The docs build strictly, need nothing from elsewhere, and name only commands that there are."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from jobs import cli, notebook
from jobs.steps import catalogued
from lakehouse.catalogue.pages import tables_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
WORDS = {"FAMILY": "segment", "TABLE": "silver.order_lines"}
"""What stands for a value of which few are right."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_table_and_every_command_has_its_place(site: Path) -> None:
    for name, table in tables_of(catalogued()).items():
        page = (site / "tables" / f"{name}.html").read_text()
        assert [column for column in table.all_columns if f"<code>{column}</code>" not in unescaped(page)] == []
    commands = (site / "commands.html").read_text()
    assert [name for name in cli.JOBS if f"Usage: shoplake {name} " not in commands] == []


def unescaped(page: str) -> str:
    return page.replace("&#95;", "_")


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|iframe|source)[^>]*src=\"?(?:https?:)?//|<link[^>]*rel=\"?(?:stylesheet|preconnect)[^>]*//"
    )
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert [page.name for page in pages if loaded.search(page.read_text())] == []


def test_every_notebook_is_on_the_page_of_notebooks() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text()
    assert {path.stem for path in notebook.FOLDER.glob("*.py")} == set(
        re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    )


# --- commands that pages name -----------------------------------------------------------------------------------------


def code(page: Path) -> Iterator[str]:
    """Lines of code of a page, those that go on as one, and code within a line."""
    text = page.read_text().replace("\\\n", " ")
    yield from (line.strip() for line in re.findall(r"^(?: {4,}|\t).*$", text, re.MULTILINE))
    yield from (line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def commands(program: str) -> list[tuple[str, list[str]]]:
    """What pages give a program, with the page."""
    found = []
    for page in PAGES:
        for line in code(page):
            for part in re.split(r"&&|;|\|", line):
                words = shlex.split(part, comments=True) if part.count("'") % 2 == part.count('"') % 2 == 0 else []
                words = words[5:] if words[1:5] == ["3", "*", "*", "*"] else words
                if program in words[:6] and (at := words.index(program)) in (0, 5):
                    found.append((page.name, [WORDS.get(word, word) for word in words[at + 1 :]]))
    return found


def parsed(words: list[str]) -> click.Context:
    """What the parser of a command makes of its words; nothing is run."""
    context = click.Context(cli.shoplake, info_name="shoplake")
    command: click.Command = cli.shoplake
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        command, context = found, found.make_context(name, list(words), parent=context)
        words = [*context.protected_args, *context.args] if isinstance(command, click.Group) else []
    return context


def test_every_command_that_a_page_names_is_understood() -> None:
    named = [
        (page, words) for page, words in commands("shoplake") if words and not {"COMMAND", "JOB", "…"} & set(words)
    ]
    assert {page for page, _ in named} >= {"operations.md", "your-shop.md", "index.md", "README.md"}
    wrong = []
    for page, words in named:
        try:
            parsed([word for word in words if word])
        except click.exceptions.Exit:  # --help
            continue
        except click.MissingParameter:
            if len(words) > 1:  # a name alone is a mention
                wrong.append(f"{page}: shoplake {shlex.join(words)}")
        except click.ClickException as error:
            wrong.append(f"{page}: shoplake {shlex.join(words)}: {error.format_message()}")
    assert wrong == []


def test_every_target_of_make_and_every_module_that_a_page_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[0] for _, words in commands("make") if words}
    assert named
    assert named - targets == set()
    modules = {words[1] for _, words in commands("python") if words[:1] == ["-m"]}
    assert modules
    assert [module for module in modules if find_spec(module) is None] == []
