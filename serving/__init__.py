"""Serving: where people and programs read gold. It writes no table and starts no Spark."""
