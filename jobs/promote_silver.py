"""Promote what is new in bronze to silver: typed, deduplicated, one vocabulary."""

from collections.abc import Sequence

import silver
from lakehouse.run import job


def main(arguments: Sequence[str] | None = None) -> int:
    """Run this stage; see --help."""
    return job.run_job(__doc__ or "", silver.STEPS, arguments)


if __name__ == "__main__":
    job.guarded(main)
