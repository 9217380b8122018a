"""`shoplake JOB ...`: the jobs under one name, once the package is installed."""

from collections.abc import Sequence
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from lakehouse.run import command

JOBS = {
    "run": "raw files -> bronze -> silver -> gold",
    "ingest-bronze": "delivered files into bronze",
    "promote-silver": "what is new in bronze to silver",
    "promote-gold": "what changed in silver to gold",
    "train": "train models and make champion what beats its baseline",
    "evaluate": "judge models on days held out, and change nothing",
    "score": "score with the champions into gold",
    "promote-model": "which model is champion and why; roll back",
    "api": "answer over HTTP: recommendations, forecasts, stock, segments, KPIs",
    "api-key": "add, list and remove keys of the API",
    "mlflow-ui": "open the MLflow UI on a warehouse's store",
    "quarantine": "list, show and resubmit refused rows",
    "files": "list delivered files, withdraw or restore one, write their list again from bronze",
    "board": "show the board in the browser, or write a static copy",
    "contracts": "write a data contract of each table (ODCS)",
    "lineage": "tell what went into what as OpenLineage events",
    "bi": "serve gold, silver and ops to BI tools by JDBC and ODBC",
    "report": "write the catalogue: tables, lineage, ledger",
    "bundle": "check what Databricks would be told, without a workspace",
    "notebook": "run a notebook on a warehouse and write it as a page; or list them",
    "make-shop": "make a synthetic shop",
    "demo": "make a small shop and run everything on it",
}
COMPLETION = 'Completion in bash: eval "$(_SHOPLAKE_COMPLETE=bash_source shoplake)"; zsh and fish alike.'


class Jobs(click.Group):
    """Only the job that is asked for is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the interface's
        """The names, in the order of their use."""
        return list(JOBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the interface's
        """The job of a name."""
        if cmd_name not in JOBS:
            return None
        found: click.Command = import_module(f"jobs.{cmd_name.replace('-', '_')}").main
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the interface's
        """The jobs with what they do, without importing them."""
        with formatter.section("Jobs"):
            formatter.write_dl(list(JOBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The jobs whose names begin like this, without importing them."""
        found = [CompletionItem(name, help=what) for name, what in JOBS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Jobs, epilog=COMPLETION, subcommand_metavar="JOB [OPTIONS]...", invoke_without_command=True)
@click.version_option(package_name="shoplake")
@click.pass_context
def shoplake(context: click.Context) -> None:
    """A shop's raw files become tables that people and models can trust. JOB --help says more."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Hand over to the job that is named first."""
    command.guarded(lambda given: command.run(shoplake, given, "shoplake"), arguments)


if __name__ == "__main__":
    main()
