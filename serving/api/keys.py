"""API keys: who may ask what. A file holds their hashes; a key is shown once, when it is made, and is nowhere else.

A key is `<id>.<secret>`: the id finds its line in the file, so that a request costs one hash at most.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from lakehouse.clock import Clock
from lakehouse.errors import UsageError
from lakehouse.store import durable

Role = Literal["storefront", "manager"]
ROLES: tuple[Role, ...] = get_args(Role)
"""What a key may ask, each all that those before it may: a storefront what to show; a manager also forecasts, stock,
segments and KPIs."""
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}
"""16 MiB and some 30 ms a hash (RFC 7914)."""


@dataclass(frozen=True)
class Key:
    """A line of the file. `salt` and `hash` (scrypt of the secret) are hex; `made_at` is ISO 8601 in UTC."""

    id: str
    name: str
    role: Role
    salt: str
    hash: str
    made_at: str

    def may(self, role: Role) -> bool:
        """Whether what needs a role may be asked with this key."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def is_of(self, secret: str) -> bool:
        """Whether the key was made with this secret. Slow on purpose."""
        return hmac.compare_digest(_hashed(secret, bytes.fromhex(self.salt)), bytes.fromhex(self.hash))


def load(path: Path) -> dict[str, Key]:
    """The keys of a file, by id. One that is missing, without a key, or damaged is a `UsageError`."""
    keys = read(path) if path.exists() else {}
    if not keys:
        raise UsageError(f"--keys {path}: there is no key; make one: shoplake api-key add NAME --role ROLE --keys FILE")
    return keys


def listed(path: Path) -> list[Key]:
    """The keys of a file, in the order in which they were made; none where there is no file yet."""
    return sorted(read(path).values(), key=lambda key: (key.made_at, key.name)) if path.exists() else []


def add(path: Path, name: str, role: Role, clock: Clock) -> str:
    """Make a key and return it. A name that has one already is a `UsageError`."""
    keys = listed(path)
    if any(key.name == name for key in keys):
        raise UsageError(f"{name} has a key already; remove it first: shoplake api-key remove {name} --keys {path}")
    own, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_bytes(16)
    made = Key(own, name, role, salt.hex(), _hashed(secret, salt).hex(), clock().isoformat())
    _write(path, [*keys, made])
    return f"{own}.{secret}"


def remove(path: Path, name: str) -> None:
    """Forget the key of a name. One that there is not is a `UsageError`."""
    keys = listed(path)
    kept = [key for key in keys if key.name != name]
    if len(kept) == len(keys):
        raise UsageError(f"{name} has no key in {path}; there are {', '.join(key.name for key in keys) or 'none'}")
    _write(path, kept)


def read(path: Path) -> dict[str, Key]:
    """The keys of a file, by id, if there are any. One that is missing or damaged is a `UsageError`."""
    try:
        found = [Key(**row) for row in json.loads(path.read_text())["keys"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"--keys {path}: this is no file of keys ({error}); make one: shoplake api-key add") from error
    if wrong := [key.name for key in found if key.role not in ROLES]:
        raise UsageError(f"--keys {path}: {', '.join(wrong)} has a role that is none of {', '.join(ROLES)}")
    return {key.id: key for key in found}


def _hashed(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT)


def _write(path: Path, keys: list[Key]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, json.dumps({"keys": [asdict(key) for key in keys]}, indent=1) + "\n", 0o600)
