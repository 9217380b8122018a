"""Where jobs are scheduled: the bundle of Databricks as values, and what may be wrong with it."""
