"""Open the MLflow UI on a warehouse's store, for this machine only."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.errors import UsageError
from lakehouse.run import job
from lakehouse.run.console import console
from lakehouse.run.options import check_warehouse, parser
from lakehouse.settings import load
from ml.core import tracking

LOCAL = "sqlite:///"


def main(arguments: Sequence[str] | None = None) -> int:
    """Become the server; see --help."""
    options = parser(__doc__ or "")
    options.add_argument("--port", type=int, default=5000, help="port on the loopback address (default: 5000)")
    chosen = options.parse_args(arguments)
    settings = load(chosen.env)
    folder = chosen.warehouse or Path(settings.warehouse)
    if settings.mlflow is None:
        check_warehouse(folder)
    uri = tracking.address(folder.absolute(), settings)
    if uri.startswith(LOCAL) and not Path(uri.removeprefix(LOCAL)).is_file():
        raise UsageError(f"there is no MLflow store {uri}; train a model first: shoplake train segment")
    console().print(f"MLflow     http://127.0.0.1:{chosen.port} (Ctrl-C ends it)", markup=False)
    served = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", str(chosen.port), "--workers", "1"]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *served])


if __name__ == "__main__":
    job.guarded(main)
