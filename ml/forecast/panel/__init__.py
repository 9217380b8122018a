"""The series: from gold tables to dense arrays, and the decomposition that all members start from."""
