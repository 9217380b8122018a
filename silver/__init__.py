"""Silver: typed, in UTC, deduplicated, one vocabulary for all shops. One file per table."""
