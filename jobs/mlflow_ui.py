"""Open the MLflow UI on a warehouse's store, for this machine only."""

import os
import sys
from pathlib import Path

import click

from lakehouse.errors import UsageError
from lakehouse.run import command
from lakehouse.run.console import console
from lakehouse.run.options import warehouse_of
from lakehouse.settings import load
from ml.core import tracking

LOCAL = "sqlite:///"


@command.job(
    __doc__,
    command.ENV,
    command.WAREHOUSE,
    click.option("--port", default=5000, help="port on the loopback address (default: 5000)"),
)
def main(env: str, warehouse: Path | None, port: int) -> int:
    """Become the server."""
    settings = load(env)
    folder = warehouse_of(settings, warehouse, may_be_new=settings.mlflow is not None)
    uri = tracking.address(folder.absolute(), settings)
    if uri.startswith(LOCAL) and not Path(uri.removeprefix(LOCAL)).is_file():
        raise UsageError(f"there is no MLflow store {uri}; train a model first: shoplake train segment")
    console().print(f"MLflow     http://127.0.0.1:{port} (Ctrl-C ends it)", markup=False)
    served = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *served])


if __name__ == "__main__":
    command.guarded(main)
