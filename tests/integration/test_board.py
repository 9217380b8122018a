"""The board on a promoted shop: every page over HTTP and in a browser, and the static copy."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient

from jobs.board import made_by, readable
from serving.board import app
from serving.board.pages import PAGES
from tests.integration.conftest import Promoted

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
AXE = "axe-core@4.14.1"
OUTSIDE = re.compile(r"""(?:src|href)=["'](?:https?:)?//""")


@pytest.fixture(scope="module")
def board(promoted: Promoted) -> app.Board:
    return app.Board(promoted.lake, readable(), made_by())


@pytest.fixture(scope="module")
def client(board: app.Board) -> Iterator[TestClient]:
    with TestClient(app.application(board), base_url="http://127.0.0.1") as client:
        yield client


def rows_of(client: TestClient, address: str) -> list[dict[str, str]]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_there_and_asks_nothing_of_the_outside(client: TestClient, page: Any) -> None:
    answer = client.get(f"/{page.name}")
    assert answer.status_code == 200
    assert 'class="block note warn"' not in answer.text
    assert not OUTSIDE.search(answer.text)
    for address in re.findall(r'href="([^"]+\.csv[^"]*)"', answer.text):
        assert client.get(f"/{address.replace('&amp;', '&')}").status_code == 200


def test_the_board_says_what_the_tables_say(client: TestClient, board: app.Board) -> None:
    (sold,) = board.reader.rows("SELECT sum(net_revenue) AS revenue, max(sold_on) AS last FROM gold.sales_daily")
    rows = rows_of(client, "/executive/months.csv")
    assert sum(float(row["value"]) for row in rows) == pytest.approx(float(sold["revenue"]))
    (ledger,) = board.reader.rows("SELECT sum(rows_read) AS read FROM ops.row_ledger")
    assert sum(int(row["read"]) for row in rows_of(client, "/data/ledger.csv")) == ledger["read"]


def test_rows_that_may_be_personal_are_not_shown(client: TestClient) -> None:
    rules = rows_of(client, "/data/quarantine.csv")
    assert "silver.customers" in {row["table"] for row in rules}
    assert "silver.customers" not in {row["table"] for row in rows_of(client, "/data/refused.csv")}


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/nothing", 404, "There is no page nothing"),
        ("/executive?shop=none", 400, "there is no such shop"),
        ("/executive/nothing.csv", 404, "has no numbers nothing"),
        ("/executive/kpis.csv?from=now", 400, "must be days"),
    ],
)
def test_a_wrong_address_is_told(client: TestClient, address: str, status: int, told: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, told in answer.text) == (status, True)


def test_another_name_for_this_machine_is_refused(client: TestClient) -> None:
    assert client.get("/executive", headers={"Host": "attacker.example"}).status_code == 400


def test_the_copy_has_every_page_its_numbers_and_the_release(board: app.Board, tmp_path: Path) -> None:
    first = app.export(board, tmp_path / "copy")
    text = first.read_text("utf-8")
    assert board.reader.release.run_id in text
    for name in re.findall(r'(?:src|href)="([^":#?]+)"', text):
        assert (first.parent / name).is_file(), name
    assert not OUTSIDE.search(text)
    assert "<form" not in text


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(board: app.Board) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app.application(board), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checker of accessibility, from its registry; without one the test is skipped."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to fetch axe-core with")
    fetched = subprocess.run([npm, "pack", AXE, "--silent"], cwd=folder, capture_output=True, timeout=60, check=False)
    if fetched.returncode:
        pytest.skip("axe-core cannot be fetched here")
    shutil.unpack_archive(next(folder.glob("*.tgz")), folder)
    return (folder / "package" / "axe.min.js").read_text("utf-8")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_draw_without_errors_and_axe_finds_nothing_serious(
    browser: Any, address: str, axe: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 390 if scheme == "dark" else 1280, "height": 900})
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else wrong.append(asked.url))
    for each in PAGES:
        page.goto(f"{address}/{each.name}")
        page.wait_for_selector("html[data-drawn]")
        assert page.locator(".chart svg").count() == page.locator(".chart").count()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{each.name} is wider than the screen"
        )
        page.evaluate(axe)
        found = page.evaluate("axe.run().then((told) => told.violations)")
        wrong += [
            f"{each.name}: {v['id']} {v['nodes'][0]['html']}" for v in found if v["impact"] in ("serious", "critical")
        ]
    assert wrong == []
    page.close()


@pytest.mark.browser
def test_a_filter_is_taken_over_into_the_page_and_the_address(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/executive")
    page.wait_for_selector("html[data-drawn]")
    page.select_option('select[name="against"]', "year")
    page.wait_for_url(re.compile("against=year"))
    page.wait_for_function("document.querySelector('main').textContent.includes('year')")
    page.click("text=Customers")
    page.wait_for_url(re.compile("customers.*against=year"))
    page.go_back()
    page.wait_for_function("document.title.startsWith('Executive')")
    page.close()
