"""Promote what changed in silver to gold: the tables that people ask for."""

import gold
from lakehouse.run import command, job

main = job.over(__doc__, gold.STEPS)

if __name__ == "__main__":
    command.guarded(main)
