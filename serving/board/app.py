"""The board as a server, and as a static copy in a folder."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, lru_cache
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import anyio.to_thread
import vl_convert
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lakehouse.accounts import ops_tables, releases
from lakehouse.declare.table import Table
from lakehouse.errors import LakehouseError, UsageError, writing
from lakehouse.store import log
from lakehouse.store.lake import Lake
from serving.board import render
from serving.board.blocks import Block, Figure, Note, Page, View
from serving.board.pages import PAGES
from serving.board.scope import Scope, Shop, scope, shops
from serving.reader import Reader

LOOKS_AGAIN = 5.0
"""Seconds after which a request looks whether something newer was released, or a run has ended."""
THREADS = 4
"""Pages that are made at once; each thread keeps its own relations."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STATIC = ("board.css", "board.js")


class Board:
    """What the pages show of a warehouse: its newest release, and the shops in it.

    `tables` may be read; `made_by` names, by table, the command that makes it, for who has not run it yet.
    """

    def __init__(self, lake: Lake, tables: Sequence[Table], made_by: Mapping[str, str]) -> None:
        self._lake, self._tables, self._made_by = lake, tables, made_by
        self._lock = threading.Lock()
        self._stands, self._looked = self._standing(), monotonic()
        self._reader = Reader(lake, tables)
        self.blocks = lru_cache(256)(self._blocks)

    @property
    def reader(self) -> Reader:
        """Of the newest release. One that is being read stays as it is."""
        with self._lock:
            if monotonic() - self._looked > LOOKS_AGAIN:
                stands = self._standing()
                if stands != self._stands:
                    self._reader, self._stands = Reader(self._lake, self._tables), stands
                    self.blocks.cache_clear()
                self._looked = monotonic()
            return self._reader

    def scope(self, page: Page, asked: Mapping[str, str]) -> tuple[Scope, list[Shop]]:
        """What an address asks for, and the shops that there are."""
        known = list(_shops(self.reader))
        return scope(known, asked, self._lake.clock().date(), page.choices), known

    def _blocks(self, reader: Reader, page: Page, asked: frozenset[tuple[str, str]]) -> list[Block]:
        """What is to be seen on a page; of a section whose table is damaged, what is wrong with it."""
        view = View(reader, self.scope(page, dict(asked))[0], self._made_by)
        found: list[Block] = []
        for part in page.sections:
            try:
                found += part.blocks(view)
            except LakehouseError as error:
                found.append(Note(part.title, str(error), "warn"))
        return found

    def _standing(self) -> tuple[object, ...]:
        """What pages depend on: the release, and what runs and trainings have noted."""
        newest = releases.newest(self._lake)
        heads = (log.head(self._lake, table.name) for table in (ops_tables.RUNS, ops_tables.MODEL_MOVES))
        return (newest and sorted(newest.versions.items()), *(head and head.version for head in heads))


@lru_cache(2)
def _shops(reader: Reader) -> tuple[Shop, ...]:
    return tuple(shops(reader))


@cache
def _vega() -> str:
    """Vega, Vega-Lite and their embedding as one script, from the package: nothing is fetched."""
    script: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return script


def application(board: Board, host: str = LOOPBACK[0]) -> FastAPI:
    """The server. On the loopback address it answers no request under another name (DNS rebinding)."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        threading.Thread(target=_vega, daemon=True).start()
        await anyio.to_thread.run_sync(board.blocks, board.reader, PAGES[0], frozenset())
        yield

    app = FastAPI(title="Shoplake board", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    if host in LOOPBACK:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, "[::1]"])
    pages = {page.name: page for page in PAGES}

    @app.get("/")
    def start(request: Request) -> RedirectResponse:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{PAGES[0].name}{query}")

    @app.get("/static/vega.js")
    def vega() -> Response:
        # A year: a newer package is a newer server, and its page asks again by its own cache.
        return Response(_vega(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    app.mount("/static", StaticFiles(directory=render.HERE / "static"))

    @app.get("/{name}")
    def page(name: str, request: Request) -> HTMLResponse:
        if name not in pages:
            return _wrong(f"There is no page {name}.", 404)
        asked = dict(request.query_params)
        try:
            about, known = board.scope(pages[name], asked)
        except UsageError as error:
            return _wrong(f"{error}.", 400)
        reader = board.reader
        blocks = board.blocks(reader, pages[name], frozenset(asked.items()))
        links = render.live(pages[name], about)
        return HTMLResponse(
            render.html(pages[name], PAGES, blocks, links, scope=about, shops=known, release=reader.release)
        )

    @app.get("/{name}/{figure}.csv")
    def csv(name: str, figure: str, request: Request) -> Response:
        if name not in pages:
            return _wrong(f"There is no page {name}.", 404)
        try:
            blocks = board.blocks(board.reader, pages[name], frozenset(request.query_params.items()))
        except UsageError as error:
            return _wrong(f"{error}.", 400)
        for block in blocks:
            if isinstance(block, Figure) and block.name == figure:
                told = {"Content-Disposition": f'attachment; filename="{name}_{figure}.csv"'}
                return Response(render.csv(block.rows), media_type="text/csv; charset=utf-8", headers=told)
        return _wrong(f"Page {name} has no numbers {figure} of what was asked for.", 404)

    return app


def _wrong(text: str, status: int) -> HTMLResponse:
    """A page that says what is wrong with an address; its links lead to pages as they are by default."""
    page = Page("error", "This cannot be shown", "", ())
    links = render.Links(lambda name, _: f"/{name}", lambda _: "", lambda _: "", "/static/")
    return HTMLResponse(render.html(page, PAGES, [Note("What is wrong", text, "warn")], links), status)


def export(board: Board, folder: Path) -> Path:
    """Write all pages of all shops, as they are by default, to be read without a server; returns the first.

    Every number stands in them, and beside each figure its csv file. A folder that cannot be written is a `UsageError`.
    """
    known = board.scope(PAGES[0], {})[1]
    reader = board.reader
    with writing("--export", folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in STATIC:
            (folder / name).write_text((render.HERE / "static" / name).read_text("utf-8"), "utf-8")
        (folder / "vega.js").write_text(_vega(), "utf-8")
        for shop in known:
            for page in PAGES:
                _export_page(board, reader, page, shop, folder)
    return folder / _file(known[0], PAGES[0].name)


def _export_page(board: Board, reader: Reader, page: Page, shop: Shop, folder: Path) -> None:
    asked = {"shop": shop.shop} | ({"currency": shop.currency} if shop.currency else {})
    about, known = board.scope(page, asked)
    blocks = board.blocks(reader, page, frozenset(asked.items()))
    links = render.Links(
        lambda name, other: quote(_file(other or shop, name)),
        lambda _: "",
        lambda figure: quote(_file(shop, f"{page.name}_{figure}", "csv")),
        is_static=True,
    )
    text = render.html(page, PAGES, blocks, links, scope=about, shops=known, release=reader.release)
    (folder / _file(shop, page.name)).write_text(text, "utf-8")
    for block in blocks:
        if isinstance(block, Figure):
            (folder / _file(shop, f"{page.name}_{block.name}", "csv")).write_text(render.csv(block.rows), "utf-8")


def _file(shop: Shop, name: str, kind: str = "html") -> str:
    parts = (shop.shop, shop.currency, name)
    return f"{'_'.join(part.replace('/', '-') for part in parts if part)}.{kind}"
