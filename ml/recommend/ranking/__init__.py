"""The second stage: what is known of a candidate, and how candidates are put in order."""
