"""The input folder: all that lies in it is a feed's, or is told with what may have been meant."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse.intake.feeds import Feed
from lakehouse.intake.files import discover
from lakehouse.intake.folder import meant_instead, paths_of, unaccounted

LINES = Feed("shop", "order_lines", "order_lines/order_lines_*.csv*", {"a": ("a",)})
ORDERS = replace(LINES, name="orders", pattern="orders/orders_*.csv*")
EVENTS = replace(LINES, name="events", pattern="events/events_*.json*", format="jsonl")
RETAIL = replace(LINES, source="retail", name="lines", pattern="online_retail_*.csv*")
FEEDS = (LINES, ORDERS, EVENTS, RETAIL)


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"a\n{name}\n")
    return folder


def told(folder: Path) -> list[str]:
    return [why for _, _, why in unaccounted(FEEDS, folder)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("order_lines/ORDER_LINES.CSV", "belongs to no feed; did you mean order_lines/order_lines_*.csv?"),
        ("order_lines/order_lines.txt", "belongs to no feed; did you mean order_lines/order_lines_*.csv?"),
        ("order_lines/order_line_2024-01-15.csv", "belongs to no feed; did you mean order_lines/order_lines_*.csv?"),
        ("order_lines/order-lines-2024-01-15.csv", "belongs to no feed; did you mean order_lines/order_lines_*.csv?"),
        ("order_lines_2024-01-15.csv", "belongs to no feed; did you mean order_lines/order_lines_*.csv?"),
        ("orders/Orders 2024.xlsx", "belongs to no feed; did you mean orders/orders_*.csv?"),
        ("events/event_2024-01-15.jsonl", "belongs to no feed; did you mean events/events_*.json?"),
        ("online-retail-2011.csv", "belongs to no feed; did you mean online_retail_*.csv?"),
        ("orders/photo.jpeg", "belongs to no feed; expected orders/orders_*.csv"),
        ("readme.md", "belongs to no feed"),
        ("orders/orders_1.csv.part", "is still being uploaded; it is taken once it has its final name"),
        ("orders/orders_1.csv.crc", "is a checksum and no delivery"),
    ],
)
def test_a_file_that_no_feed_takes_is_told_with_what_may_have_been_meant(tmp_path: Path, name: str, says: str) -> None:
    put(tmp_path, name)
    assert told(tmp_path) == [f"{name} {says}"]
    assert unaccounted(FEEDS, tmp_path)[0][:2] == (name, (tmp_path / name).stat().st_size)
    assert not any(discover(feed, tmp_path, ()).new for feed in FEEDS)


@pytest.mark.parametrize(
    "name",
    ["ORDERS/orders_1.csv", "orders/ORDERS_2024.CSV", "Orders/Orders_1.Csv.GZ", "orders/orders_1.csv.gz"],
)
def test_a_name_that_differs_in_case_alone_is_the_feeds(tmp_path: Path, name: str) -> None:
    put(tmp_path, name)
    assert [path.relative_to(tmp_path).as_posix() for path in paths_of(ORDERS, tmp_path)] == [name]
    assert [each.file for each in discover(ORDERS, tmp_path, ()).new] == [name]
    assert told(tmp_path) == []


def test_nothing_is_said_of_what_is_a_feeds_hidden_or_the_shops_own_truth(tmp_path: Path) -> None:
    put(tmp_path, "orders/orders_1.csv", "online_retail_1.csv", "events/events_1.json.gz", "truth/dirt.json")
    put(tmp_path, ".DS_Store", "orders/.orders_2.csv.swp", ".git/config", "orders/_SUCCESS", "Thumbs.db")
    (tmp_path / "empty" / "too").mkdir(parents=True)
    assert told(tmp_path) == []
    assert unaccounted(FEEDS, tmp_path / "nowhere") == []


def test_a_folder_that_leads_to_no_feed_is_one_entry(tmp_path: Path) -> None:
    put(tmp_path, *(f"order_line/order_lines_{day}.csv" for day in range(3)), "orders/2024/orders_1.csv")
    put(tmp_path, "old/x/photo.jpeg", "orders/orders_9.csv/part-0.csv", "orders/truth/dirt.json")
    assert told(tmp_path) == [
        "old/ (1 file) belongs to no feed",
        "order_line/ (3 files) belongs to no feed; did you mean order_lines/order_lines_*.csv?",
        "orders/2024/ (1 file) belongs to no feed; did you mean orders/orders_*.csv?",
        "orders/orders_9.csv/ (1 file) is a folder with the name of a file; put its files beside it, each under such a"
        " name",
        "orders/truth/ (1 file) belongs to no feed; expected orders/orders_*.csv",
    ]
    many = put(tmp_path / "many", *(f"old/{number}" for number in range(1200)))
    assert told(many) == ["old/ (1,000 files or more) belongs to no feed"]


def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path) -> None:
    put(tmp_path, "orders/orders_1.csv")
    os.mkfifo(tmp_path / "orders" / "orders_2.csv")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "orders" / "orders_3.csv").symlink_to("/dev/zero")
    (tmp_path / "lost").symlink_to(tmp_path / "gone")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        assert told(tmp_path) == [
            "lost is a link to nothing and belongs to no feed",
            "pipe is a named pipe and belongs to no feed",
            "s is a socket and belongs to no feed",
        ]
    found = discover(ORDERS, tmp_path, ())
    assert [each.file for each in found.new] == ["orders/orders_1.csv"]
    assert [each.message for each in found.unreadable] == [
        "orders/orders_2.csv is a named pipe, not a file; deliver a file",
        "orders/orders_3.csv is a device, not a file; deliver a file",
    ]


def test_patterns_may_have_any_folders(tmp_path: Path) -> None:
    put(tmp_path, "a/2024/x_1.csv", "b/x_2.csv", "x_3.csv", "b/y.csv")
    deep = replace(LINES, pattern="**/x_*.csv*")
    one = replace(LINES, pattern="*/x_*.csv*")
    assert [path.name for path in paths_of(deep, tmp_path)] == ["x_1.csv", "x_2.csv", "x_3.csv"]
    assert [path.name for path in paths_of(one, tmp_path)] == ["x_2.csv"]
    assert [file for file, _, _ in unaccounted([deep], tmp_path)] == ["b/y.csv"]
    assert [file for file, _, _ in unaccounted([one], tmp_path)] == ["a/2024", "b/y.csv", "x_3.csv"]


def test_the_folder_that_was_meant_is_one_above_or_inside(tmp_path: Path) -> None:
    put(tmp_path, "shop/orders/orders_1.csv", "other/orders/orders_1.csv", "photos/a.jpeg")
    assert meant_instead(FEEDS, tmp_path / "shop" / "orders") == [f"{tmp_path}/shop/orders/.."]
    assert meant_instead(FEEDS, tmp_path) == [f"{tmp_path}/other", f"{tmp_path}/shop"]
    assert meant_instead(FEEDS, tmp_path / "photos") == []
