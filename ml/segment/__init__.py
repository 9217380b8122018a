"""Customer segments: K-means on recency, frequency and value, with what they say about the next months."""
