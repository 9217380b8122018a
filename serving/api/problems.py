"""What can be wrong with a request, as `application/problem+json` (RFC 9457). A client tells them apart by `type`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("shoplake")


class Wrong(BaseModel):
    """A part of a request that is not as it must be."""

    where: str = Field(description="which parameter, such as query.limit")
    what: str = Field(description="what is wrong with it")


class ProblemDetails(BaseModel):
    """Why a request was not answered."""

    type: str = Field(description="kind of the problem, such as urn:shoplake:unknown-product")
    title: str = Field(description="the kind in words")
    status: int = Field(description="status of the response")
    detail: str = Field(description="what is wrong, and what to do")
    errors: list[Wrong] = Field(default_factory=list, description="of an invalid request: each part that is wrong")


class Problem(Exception):
    """A request that is not answered. `kind` ends the URN of its type; `detail` says what to do."""

    def __init__(self, status: HTTPStatus, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers


def unknown(what: str, name: str, hint: str) -> Problem:
    """A thing that the release does not know: 404."""
    return Problem(HTTPStatus.NOT_FOUND, f"unknown-{what}", f"there is no {what} {name!r}; {hint}")


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """How problems of these statuses are declared in OpenAPI."""
    reference = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {int(status): {"description": status.phrase, "content": {MEDIA_TYPE: reference}} for status in statuses}


def install(app: FastAPI) -> None:
    """Let the app answer every problem in this form."""

    @app.exception_handler(Problem)
    async def _told(_: Request, problem: Problem) -> JSONResponse:
        return _response(problem.status, problem.kind, problem.detail, headers=problem.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        # Without the input: it may name a customer.
        wrong = [Wrong(where=".".join(map(str, e["loc"])), what=e["msg"]) for e in error.errors()]
        detail = f"{len(wrong)} of the request's parameters are wrong; see errors"
        return _response(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, wrong)

    @app.exception_handler(HTTPException)
    async def _refused(_: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        kind = status.phrase.lower().replace(" ", "-")
        return _response(status, kind, "see /openapi.json for what can be asked", headers=error.headers)

    @app.exception_handler(Exception)
    async def _failed(request: Request, error: Exception) -> JSONResponse:
        route = getattr(request.scope.get("route"), "path", "an unknown path")
        log.error("%s failed", route, exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return _response(status, "internal-error", "the request failed; the server's log says why")


def _response(
    status: HTTPStatus, kind: str, detail: str, wrong: list[Wrong] | None = None, headers: Any = None
) -> JSONResponse:
    title = kind.replace("-", " ").capitalize()
    told = ProblemDetails(
        type=f"urn:shoplake:{kind}", title=title, status=int(status), detail=detail, errors=wrong or []
    )
    return JSONResponse(told.model_dump(), int(status), headers, MEDIA_TYPE)
