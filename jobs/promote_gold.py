"""Promote what changed in silver to gold: the tables that people ask for."""

from collections.abc import Sequence

import gold
from lakehouse.run import job


def main(arguments: Sequence[str] | None = None) -> int:
    """Run this stage; see --help."""
    return job.run_job(__doc__ or "", gold.STEPS, arguments)


if __name__ == "__main__":
    job.guarded(main)
