"""Take delivered files all the way: raw -> bronze -> silver -> gold."""

from collections.abc import Sequence

from jobs.steps import ALL
from lakehouse.run import job


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every stage; see --help."""
    return job.run_job(__doc__ or "", ALL, arguments)


if __name__ == "__main__":
    job.guarded(main)
