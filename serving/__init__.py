"""Serving: where people and programs read gold. It writes no table, and but for `bi` it runs no Spark."""
