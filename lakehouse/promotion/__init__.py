"""The one road into a table: read, build, split, gate, publish, account; and what was refused."""
