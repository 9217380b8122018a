"""Promote what is new in bronze to silver: typed, deduplicated, one vocabulary."""

import silver
from lakehouse.run import command, job

main = job.over(__doc__, silver.STEPS)

if __name__ == "__main__":
    command.guarded(main)
