"""The platform: the one road into a table, its gate and its accounts. It knows no business table."""
