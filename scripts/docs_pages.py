"""Pages of the docs site that are made from the code while it is built: the tables, and the reference of the commands.

MkDocs calls `on_files` (mkdocs.yml names this file as a hook), so nothing that is generated is committed or goes stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from jobs import cli
from jobs.steps import catalogued
from lakehouse.accounts import ops_tables
from lakehouse.catalogue.pages import ACTIONS, WRITES, tables_of
from lakehouse.declare.rules import Rule
from lakehouse.declare.table import Step, Table

LAYERS = {
    "gold": "what people and models ask for",
    "silver": "typed, in UTC, in one vocabulary for all shops",
    "bronze": "as delivered",
    "ops": "what ran, and what became of every row",
}
WIDTH = 100
"""Characters in a line of a command's help."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and list them and the decision records in the navigation."""
    steps = catalogued()
    tables = tables_of(steps) | {table.name: table for table in ops_tables.TABLES}
    pages = {f"tables/{name}.md": table_page(table, steps, tables) for name, table in tables.items()}
    pages |= {"tables/index.md": tables_page(tables.values()), "commands.md": commands_page()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    records = sorted(path for path in files.src_uris if re.fullmatch(r"adr/\d{4}-.*\.md", path))
    by_layer = {layer: [f"tables/{name}.md" for name in tables if name.startswith(f"{layer}.")] for layer in LAYERS}
    below: dict[str, list[Any]] = {
        "Tables": [{layer: found} for layer, found in by_layer.items()],
        "Decisions": records,
    }
    config.nav = [_with_pages_below(entry, below) for entry in config.nav or ()]
    return files


def _with_pages_below(entry: dict[str, Any], below: dict[str, list[Any]]) -> dict[str, Any]:
    ((title, page),) = entry.items()
    return {title: [page, *below[title]]} if title in below else entry


# --- tables -----------------------------------------------------------------------------------------------------------


def tables_page(tables: Iterable[Table]) -> str:
    """All tables by layer, gold first."""
    lines = [
        "# Tables",
        "",
        "Every table that Shoplake can fill, from its declaration; the search above finds columns too. Which of them a "
        "warehouse has, with rows, money, batches and quarantine, is in its own catalogue: `shoplake report`.",
    ]
    for layer, meaning in LAYERS.items():
        own = [table for table in tables if table.layer == layer]
        rows = [(f"[{table.name}]({table.name}.md)", _text(table.meaning), _names(table.grain)) for table in own]
        lines += ["", f"## {layer}: {meaning}", "", *_grid(("table", "meaning", "one row per"), rows)]
    return "\n".join([*lines, ""])


def table_page(table: Table, steps: Sequence[Step], tables: dict[str, Table]) -> str:
    """One table: what a row is, where it comes from, its columns and rules."""
    own = [step for step in steps if step.table.name == table.name]
    readers = {step.table.name for step in steps if table.name in {read.table.name for read in step.reads}}
    facts = [("Grain", _names(table.grain)), ("Row law", _text(table.row_law)), ("Written", _text(WRITES[table.write]))]
    facts += [("Made from", source) for step in own if (source := _sources(step, tables))]
    facts += [("Read by", ", ".join(_link(name, tables) for name in sorted(readers)))] if readers else []
    facts += [("Money accounted for", _names((table.amount,)))] if table.amount else []
    told = [f"- **{what}**: {fact}" for what, fact in facts]
    lines = [f"# {table.name}", "", _text(table.meaning), "", *told, "", "## Columns", ""]
    lines += _grid(("column", "type", "meaning", "unit", "rules"), _columns(table))
    wide = [(_names((rule.name,)), _rule(rule)) for rule in table.row_rules if len(rule.columns) > 1]
    wide += [(_names((each.name,)), f"{_text(each.says)} ({ACTIONS['fail']})") for each in table.expectations]
    if wide:
        lines += ["", "## Rules over several columns, and over the whole batch", "", *_grid(("rule", "says"), wide)]
    return "\n".join([*lines, ""])


def _columns(table: Table) -> Iterator[tuple[str, ...]]:
    units = {field.name: field.unit for field in table.fields}
    meanings = {field.name: field.meaning for field in table.fields}
    personal = {field.name for field in table.fields if field.personal}
    for name, (kind, comment) in table.all_columns.items():
        said = _text(meanings.get(name, comment)) + (" (personal: pseudonymised)" if name in personal else "")
        rules = "; ".join(_rule(rule) for rule in table.row_rules if rule.columns == (name,))
        yield _names((name,)), _names((kind.lower(),)), said, _text(units.get(name, "")), rules


def _rule(rule: Rule) -> str:
    return _text(rule.says) + (f" ({ACTIONS[rule.action]})" if rule.action != "quarantine" else "")


def _sources(step: Step, tables: dict[str, Table]) -> str:
    if step.feed:
        return f"files {_names((step.feed.pattern,))} of {step.feed.source}"
    return ", ".join(_link(read.table.name, tables) for read in step.reads)


def _link(name: str, tables: dict[str, Table]) -> str:
    return f"[{name}]({name}.md)" if name in tables else name


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"<code>{_text(name)}</code>" for name in names)


def _text(said: str) -> str:
    """Words as they are, whatever of them Markdown would take for its own."""
    return re.sub(r"[|*_`\[\]\\]", lambda found: f"&#{ord(found[0])};", escape(" ".join(said.split())))


def _grid(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (titles, ["---"] * len(titles), *rows)]


# --- commands ---------------------------------------------------------------------------------------------------------


def commands_page() -> str:
    """The help of every command, as click prints it."""
    context = click.Context(cli.shoplake, info_name="shoplake", max_content_width=WIDTH, terminal_width=WIDTH)
    lines = ["# Commands", "", "What `shoplake COMMAND --help` prints, from the code that parses the options.", ""]
    for path, command, inner in _commands(cli.shoplake, context):
        lines += [f"## {path}", "", "```text", command.get_help(inner), "```", ""]
    return "\n".join(lines)


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    """A command, and those below it."""
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) is not None:
                yield from _commands(below, click.Context(below, info_name=name, parent=context))
