"""What is asked for, what is on the shelves, and what to expect."""
