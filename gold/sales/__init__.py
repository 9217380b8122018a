"""What was sold, for how much."""
