"""What Databricks would be told: check the bundle without a workspace: bundle.py check."""

from pathlib import Path

import click

from lakehouse.errors import UsageError
from lakehouse.run import command
from lakehouse.run.console import console


@command.job(
    __doc__,
    click.argument("action", type=click.Choice(("check",))),
    click.option(
        "--root", type=click.Path(path_type=Path), default=Path(), help="folder of databricks.yml (default: .)"
    ),
)
def main(action: str, root: Path) -> int:  # noqa: ARG001 - the only one
    """Say what is wrong with the bundle, each with its file and key, or what it holds."""
    from jobs.deploy import check  # the SDK takes seconds
    from jobs.deploy.bundle import Bundle

    if found := check.problems(root):
        raise UsageError("\n".join(found if len(found) == 1 else [f"the bundle has {len(found)} problems:", *found]))
    bundle = Bundle.read(root)
    jobs = list(bundle.jobs(bundle.targets[0]))
    told = ", ".join(f"{job.name} ({len(job.tasks)} tasks, {job.cron} {job.zone})" for job in jobs)
    console().print(f"The bundle is in order for {', '.join(bundle.targets)}: {told}", markup=False)
    return 0


if __name__ == "__main__":
    command.guarded(main)
