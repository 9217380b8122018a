"""Who may connect to the BI server: one user, whose password is generated, told once and kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from lakehouse.store import durable
from lakehouse.store.lake import Lake

USER = "shoplake"
ITERATIONS = 10_000
"""Of PBKDF2. A generated password has more bits than can be tried, so this need not make connecting slow."""


def users_file(lake: Lake) -> Path:
    """The file of users, a line each: name, iterations, salt and PBKDF2-HMAC-SHA256 hash, the last two in hex."""
    return lake.warehouse / "ops" / "bi.users"


def password_of(lake: Lake, *, renew: bool = False) -> str | None:
    """A new password, where there was none or it is to be renewed; None where one is in use."""
    path = users_file(lake)
    if renew:
        path.unlink(missing_ok=True)
    password, salt = secrets.token_urlsafe(18), secrets.token_bytes(16)
    hashed = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    was_made = durable.create(path, f"{USER}:{ITERATIONS}:{salt.hex()}:{hashed.hex()}\n", 0o600)
    return password if was_made else None
