"""Take delivered files into bronze, as they are, each content once."""

from collections.abc import Sequence

import bronze
from lakehouse.run import job


def main(arguments: Sequence[str] | None = None) -> int:
    """Run this stage; see --help."""
    return job.run_job(__doc__ or "", bronze.STEPS, arguments)


if __name__ == "__main__":
    job.guarded(main)
