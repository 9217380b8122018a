"""Who buys, how often, and in which segment."""
