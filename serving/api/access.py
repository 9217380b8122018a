"""Who may ask, and how often: API keys with roles, and limits for each key or address."""

from __future__ import annotations

import hashlib
import logging
import re
from http import HTTPStatus
from ipaddress import ip_address
from math import ceil
from pathlib import Path
from typing import Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader
from starlette.concurrency import run_in_threadpool

from lakehouse.errors import UsageError
from serving.api import keys
from serving.api.keys import Key, Role
from serving.api.limits import Limiter
from serving.api.problems import Problem

HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="made by: shoplake api-key add NAME --role ROLE")
FAILURES, FAILURES_A_SECOND = 10, 1 / 6
"""Wrong keys from an address: so many at once, then one in six seconds. Each costs a slow hash."""
log = logging.getLogger("shoplake")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Decides about each request. Without a file of keys everybody on this machine may ask everything.

    `rate` is how many requests a second a key (without keys: an address) may make in the long run; at once twice that.
    """

    def __init__(self, path: Path | None, rate: float) -> None:
        """Raises `UsageError` where the file of keys is missing or damaged."""
        self._path = path
        self._keys = keys.load(path) if path else None
        self._changed_at = path.stat().st_mtime_ns if path else 0
        self._proven: dict[bytes, Key] = {}
        self._requests = Limiter(rate, 2 * rate)
        self._failures = Limiter(FAILURES_A_SECOND, FAILURES)

    def refresh(self) -> None:
        """Read the keys again, if their file has changed. One that cannot be read leaves the keys as they were."""
        if self._path is None:
            return
        try:
            changed_at = self._path.stat().st_mtime_ns
            if changed_at != self._changed_at:
                self._keys, self._proven, self._changed_at = keys.read(self._path), {}, changed_at
        except (OSError, UsageError) as error:
            log.error("the keys are those of before: %s", error)

    async def check(self, role: Role, key: str | None, address: str, host: str) -> None:
        """Raise a `Problem` unless a request may go on: with a key, from an address, to a name of the server."""
        if self._keys is None:
            # A page of elsewhere must not ask through a browser here, under a name that it lets point to this machine.
            if not is_loopback(host):
                detail = "without API keys only this machine is answered, as localhost"
                raise Problem(HTTPStatus.FORBIDDEN, "forbidden", detail)
            self._limit(address)
            return
        found = await self._prove(key, address)
        self._limit(found.id)
        if not found.may(role):
            detail = f"the role {found.role} of this key may not ask this; it needs {role}"
            raise Problem(HTTPStatus.FORBIDDEN, "forbidden", detail)

    async def _prove(self, given: str | None, address: str) -> Key:
        """The key that was given. Hashed once, then known by its SHA-256, which is enough for 256 random bits."""
        if not given:
            raise _unauthorized("name an API key in the header X-API-Key")
        proof = hashlib.sha256(given.encode()).digest()
        if proof in self._proven:
            return self._proven[proof]
        if wait := self._failures.peek(address):
            raise _too_many(wait, "too many wrong keys came from this address")
        known = self._keys or {}
        own, _, secret = given.partition(".")
        found = known.get(own)
        if found is None or not await run_in_threadpool(found.is_of, secret):
            self._failures.wait(address)
            raise _unauthorized("this API key is not known; it may have been removed")
        if self._keys is known:  # else it was read again meanwhile, and the next request looks at it
            self._proven[proof] = found
        return found

    def _limit(self, asker: str) -> None:
        if wait := self._requests.wait(asker):
            raise _too_many(wait, "too many requests")


def needs(role: Role) -> Any:
    """The dependency of what needs a role."""

    async def allowed(request: Request, key: str | None = Security(HEADER)) -> None:
        access: Access = request.app.state.access
        host = re.sub(r":\d*$", "", request.headers.get("host", ""))
        await access.check(role, key, request.client.host if request.client else "", host)

    return Depends(allowed)


def _unauthorized(detail: str) -> Problem:
    return Problem(HTTPStatus.UNAUTHORIZED, "unauthorized", detail, {"WWW-Authenticate": "APIKey"})


def _too_many(wait: float, what: str) -> Problem:
    seconds = ceil(wait)
    detail = f"{what}; try again in {seconds} s"
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail, {"Retry-After": str(seconds)})
