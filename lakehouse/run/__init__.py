"""Running steps: the runner knows no console; options and console are what jobs put around it."""
