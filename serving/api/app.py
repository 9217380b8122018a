"""The API as an ASGI app: its routes, its errors, and what keeps it up to date."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving.api import customers, health, plans, problems, recommend, shops
from serving.api.access import Access
from serving.api.release import Live

REFRESH_SECONDS = 5.0
DESCRIPTION = """What gold says of a customer, a product, a series or a shop. Every answer is of one release of
the warehouse, and names it, the model that scored, and the last day that the answer knows."""


def create(live: Live, access: Access, refresh_seconds: float = REFRESH_SECONDS) -> FastAPI:
    """The app. While it runs, a thread looks every so often for a newer release and for changed keys."""

    @asynccontextmanager
    async def kept_up_to_date(_: FastAPI) -> AsyncIterator[None]:
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(refresh_seconds):
                live.refresh()
                access.refresh()

        thread = threading.Thread(target=look, name="refresh", daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join()

    # The pages of FastAPI's documentation load scripts from elsewhere; /openapi.json is what clients need.
    app = FastAPI(
        title="Shoplake",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=kept_up_to_date,
    )
    app.state.live, app.state.access = live, access
    problems.install(app)
    for part in (recommend, plans, customers, shops, health):
        app.include_router(part.router)
    return app
