"""What marketing did: campaigns, experiments, and whom to write to."""
