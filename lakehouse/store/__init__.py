"""Where tables lie: the warehouse, its locks, Delta's log, the commits, and reading without Spark."""
