"""Series that the members cannot forecast: new, short, constant, negative or sporadic ones."""
