"""What requests have in common. Ids of a shop's own may hold slashes, so they are no part of a path."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from pydantic import Field, StringConstraints

from serving.api.problems import responses
from serving.api.release import Live, Loaded

LONGEST = 200
Id = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
Shop = Annotated[Id, Path(description="shop, as gold names it")]
Product = Annotated[Id, Query(description="product, by the shop's code")]
Products = Annotated[tuple[Id, ...], Field(max_length=100)]
Limit = Annotated[int, Query(ge=1, le=50, description="products in the answer, at most")]

LIMITED = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
INVALID = LIMITED | responses(HTTPStatus.UNPROCESSABLE_ENTITY)
LOOKED_UP = INVALID | responses(HTTPStatus.NOT_FOUND)


async def _now(request: Request) -> Loaded:
    live: Live = request.app.state.live
    return live.now


Now = Annotated[Loaded, Depends(_now)]
"""The release that a request is answered from, from its beginning to its end."""
