"""What a shop knows at a cutoff: its sales, or its ratings, as tables and as numbers."""
