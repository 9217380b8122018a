"""The shop maker's promises to its caller: same seed, same bytes; the agreed layout; clear refusals."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from synthetic.base import Options, ShopError
from synthetic.layout import FEEDS
from synthetic.shop import Shop, make_shop, summary
from tests.synthetic.conftest import CleanShop, lines_of

JOB = Path(__file__).resolve().parents[2] / "jobs" / "make_shop.py"


def tiny(output: Path, feeds: tuple[str, ...] = tuple(FEEDS), seed: int = 7) -> Options:
    """A shop of two chunks of days that is made in half a second."""
    return Options(output, seed, days=32, customers=60, products=40, orders_per_day=4, feeds=feeds)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (make_shop(tiny(tmp_path / name)) for name in ("a", "b"))
    other = make_shop(tiny(tmp_path / "c", seed=8))
    assert contents(first.output) == contents(second.output)
    assert (
        contents(first.output)["orders/orders_2024-01-05.csv"] != contents(other.output)["orders/orders_2024-01-05.csv"]
    )


def test_a_feed_does_not_depend_on_the_others(tmp_path: Path) -> None:
    everything = contents(make_shop(tiny(tmp_path / "all")).output)
    some = contents(make_shop(tiny(tmp_path / "some", ("reviews", "orders"))).output)
    assert {name.split("/")[0] for name in some} == {"orders", "reviews", "truth"}
    different = {name for name, content in some.items() if everything[name] != content}
    assert different == {"truth/world.json", "truth/dirt.json"}


def test_feeds_lie_in_the_agreed_layout(dirty: Shop) -> None:
    for feed, layout in FEEDS.items():
        first = dirty.output / feed / f"{feed}_2024-01-01.{layout.format}"
        if layout.format == "csv" and first.exists():
            assert first.read_text().split("\n", 1)[0] == ",".join(layout.columns)
        for file in (dirty.output / feed).glob("*.json"):
            for line in lines_of(file):
                if line.endswith("}"):
                    assert tuple(json.loads(line)) == layout.columns


def test_a_clean_shop_has_no_dirt(clean: CleanShop) -> None:
    for entry in clean.shop.dirt.values():
        assert entry["kinds"] == {}
        assert entry["ledger"]["physical_records"] == entry["ledger"]["clean_distinct_rows"]
    lines = clean.feed("order_lines")
    assert tuple(lines.columns) == FEEDS["order_lines"].columns
    assert 2.3 < len(lines) / lines["order_id"].n_unique() < 2.9


def test_orders_run_through_their_statuses(clean: CleanShop) -> None:
    orders = clean.feed("orders").sort("order_id", "updated_at")
    assert orders.select("order_id", "updated_at").is_unique().all()
    paths = set(orders.group_by("order_id").agg("status")["status"].list.join(">"))
    assert {"cancelled", "placed>cancelled", "placed>shipped>delivered", "placed>shipped>delivered>returned"} <= paths
    assert all(path.startswith(("placed", "cancelled")) for path in paths)


def test_sessions_with_an_order_end_in_a_purchase(dirty: Shop) -> None:
    rows = [
        json.loads(line)
        for file in (dirty.output / "page_events").iterdir()
        for line in lines_of(file)
        if line.endswith("}")
    ]
    events = pl.DataFrame(rows, infer_schema_length=None).unique("event_id")
    last = events.sort("event_at", "event_id").group_by("session_id").last()
    buying = last.filter(pl.col("order_id").is_not_null())
    assert (buying["event_type"].is_in(["purchase", "stare"])).all()
    assert 0.05 < len(buying) / len(last) < 0.25
    types = {"view", "search", "add_to_cart", "remove_from_cart", "checkout", "purchase"}
    assert types <= set(events["event_type"])


def test_an_older_shop_is_replaced_and_anything_else_refused(tmp_path: Path) -> None:
    make_shop(tiny(tmp_path))
    shop = make_shop(tiny(tmp_path, ("exposures",)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exposures", "truth"]
    assert "exposures" in summary(shop)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(ShopError, match="not a shop made by this tool"):
        make_shop(tiny(tmp_path))
    assert (tmp_path / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "arguments",
    [["--days", "0"], ["--feeds", "orders,nonsense"], ["--start", "yesterday"], ["--seed", "-1"], ["--unknown"]],
)
def test_bad_options_end_with_one_clear_line(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["make_shop.py", "--output", str(tmp_path / "shop"), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(JOB), run_name="__main__")
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert arguments[0].strip("-") in said.err
    assert not (tmp_path / "shop").exists()


def test_the_job_runs_from_any_folder(tmp_path: Path) -> None:
    small = ["--days", "3", "--customers", "30", "--products", "30", "--orders-per-day", "2"]
    command = [sys.executable, str(JOB), "--output", "shop", *small]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "truth (no pipeline reads it)" in done.stdout
