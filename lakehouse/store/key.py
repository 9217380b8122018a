"""The secret by which personal data is pseudonymised, and how a wrong one is told.

One person must have one pseudonym. So the fingerprint of the key (no secret: the key cannot be found from it) stands in
`ops/pseudonym.fingerprint` from its first use on, and a key that differs is refused. A warehouse from before there were
fingerprints gets one at the next use of the key that it has.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from lakehouse.errors import UsageError
from lakehouse.store import durable

LONGEST = 64
"""Bytes of a key: the block of SHA-256, beyond which HMAC takes another way."""


def key_of(warehouse: Path, configured: str | None, *, in_use: bool) -> str:
    """The key of a warehouse: the configured one, or its own, which is made at the first use.

    `in_use` says that there are pseudonyms already, so that no key may be made. Raises `UsageError` where the key is
    empty, too long, gone, or not the one that the pseudonyms were made by.
    """
    path, witness = warehouse / "ops" / "pseudonym.key", warehouse / "ops" / "pseudonym.fingerprint"
    expected = _text(witness)
    key, place = configured, "pseudonym_key in conf/"
    if key is None:
        key, place = _text(path), str(path)
    if key is None:
        if expected is not None or in_use:
            raise UsageError(
                f"{path} is gone, and personal data was pseudonymised by it; restore it from a backup. {_anew(witness)}"
            )
        durable.create(path, secrets.token_hex(32), 0o600)  # or another run has made it at the same moment
        key = path.read_text()
    if not key.strip():
        raise UsageError(f"{place} is empty: anybody could undo the pseudonyms; restore it from a backup")
    if len(key.encode()) > LONGEST:
        raise UsageError(f"{place} is longer than {LONGEST} bytes; choose a shorter one")
    found = fingerprint(key)
    if expected is None:
        durable.create(witness, found, 0o644)
        expected = _text(witness)
    if found != expected:
        raise UsageError(
            f"{place} has the fingerprint {found}, but {witness} says that the pseudonyms here were made by a key with "
            f"{(expected or '').strip() or 'none'}; configure that key. {_anew(witness)}"
        )
    return key


def fingerprint(key: str) -> str:
    """What tells keys apart and gives none away: 16 hex digits."""
    return hmac.new(key.encode(), b"fingerprint of shoplake's key", hashlib.sha256).hexdigest()[:16]


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is damaged: it is no text; restore it from a backup") from None


def _anew(witness: Path) -> str:
    return f"To give everybody a new pseudonym, delete {witness}, name a pseudonym_key in conf/ and run with --full"
