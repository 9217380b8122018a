"""What members would have forecast at cutoffs of the past, how wrong that was, and the weights from it."""
