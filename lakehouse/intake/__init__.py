"""Delivered files: how a feed is declared, and how its files are found and read, every line accounted for."""
