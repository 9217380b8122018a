"""Take delivered files all the way: raw -> bronze -> silver -> gold."""

from jobs.steps import ALL
from lakehouse.run import command, job

main = job.over(__doc__, ALL)

if __name__ == "__main__":
    command.guarded(main)
