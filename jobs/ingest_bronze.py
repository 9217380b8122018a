"""Take delivered files into bronze, as they are, each content once."""

import bronze
from lakehouse.run import command, job

main = job.over(__doc__, bronze.STEPS)

if __name__ == "__main__":
    command.guarded(main)
