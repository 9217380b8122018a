"""`shoplake JOB ...`: the jobs under one name, once the package is installed."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from lakehouse.errors import USAGE
from lakehouse.run import job

JOBS = {
    "run": "raw files -> bronze -> silver -> gold",
    "ingest-bronze": "delivered files into bronze",
    "promote-silver": "what is new in bronze to silver",
    "promote-gold": "what changed in silver to gold",
    "train": "train models and make champion what beats its baseline",
    "evaluate": "judge models on days held out, and change nothing",
    "score": "score with the champions into gold",
    "promote-model": "which model is champion and why; roll back",
    "mlflow-ui": "open the MLflow UI on a warehouse's store",
    "quarantine": "list, show and resubmit refused rows",
    "files": "list delivered files, withdraw or restore one, write their list again from bronze",
    "report": "write the catalogue: tables, lineage, ledger",
    "make-shop": "make a synthetic shop",
    "demo": "make a small shop and run everything on it",
}


def main() -> None:
    """Hand over to the job that is named first."""
    if len(sys.argv) < 2 or sys.argv[1] not in JOBS:
        listed = "\n".join(f"  {name:15} {what}" for name, what in JOBS.items())
        wrong = len(sys.argv) > 1 and sys.argv[1] not in ("-h", "--help")
        (sys.stderr if wrong else sys.stdout).write(f"usage: shoplake JOB [options]; JOB --help says more\n{listed}\n")
        sys.exit(USAGE if wrong else 0)
    name = sys.argv.pop(1)
    module = import_module(f"jobs.{name.replace('-', '_')}")
    run: Callable[[Sequence[str] | None], int] = module.main
    sys.argv[0] = f"shoplake {name}"
    job.guarded(run)


if __name__ == "__main__":
    main()
