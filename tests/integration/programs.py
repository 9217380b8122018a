"""Programs of deliveries: what exports of shops do to files, drawn at random, with what must come of them.

A program owns the orders, customers and products that fall to it. It cuts their rows into files and puts each file down
by a habit: whole, half then whole, edited, under another name, in another spelling, broken and then corrected, and so
on. Programs share a folder, days and products, so what one does may reach the rows of another.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from zlib import crc32

from bronze.stallion_beverages import volumes as volumes_feed
from synthetic.base import Options
from synthetic.shop import make_shop

Row = dict[str, str | None]
Contents = list[tuple[str, list[Row]]]
"""Names and rows, in the order in which they are put down."""

ENTITY = {
    "products": "product_id",
    "promotions": "promotion_id",
    "stock_levels": "product_id",
    "customers": "customer_id",
    "marketing_spend": "campaign",
    "exposures": "unit_id",
    "page_events": "session_id",
    "orders": "order_id",
    "order_lines": "order_id",
    "payments": "order_id",
    "reviews": "order_id",
}
"""What a program owns the rows of, by feed of the shop."""
JSON_FEEDS = ("products", "page_events", "reviews")
EDITS: dict[str, dict[str, tuple[str, ...]]] = {
    "products": {"category": ("shipping", "toys"), "list_price": ("1.00", "2.50"), "updated_at": ("2024-01-05 10:00",)},
    "promotions": {"discount_pct": ("15", "35"), "ends_on": ("2024-01-12", "2024-01-20")},
    "stock_levels": {"on_hand": ("0", "7", "19"), "lead_time_days": ("2", "30")},
    "customers": {"country": ("FR", "IT"), "marketing_consent": ("true", "false")},
    "marketing_spend": {"spend": ("3.00", "0.01"), "clicks": ("1", "2")},
    "exposures": {"variant": ("control", "treatment")},
    "page_events": {"event_at": ("2024-01-03 10:00:00",), "country": ("FR",)},
    "orders": {
        "status": ("cancelled", "returned", "delivered"),
        "items_total": ("10.00", "0.00"),
        "ordered_at": ("2024-01-02 10:00:00",),
        "updated_at": ("2024-01-09 10:00:00", "2024-01-20 10:00:00"),
        "country": ("FR",),
        "customer_id": ("", "guest", "C0000003"),
    },
    "order_lines": {
        "quantity": ("1", "2", "9"),
        "unit_price": ("5.00", "0.00", "19.99"),
        "ordered_at": ("2024-01-02 10:00:00", "2024-01-07 23:59:59"),
        "customer_id": ("", "C0000003"),
        "product_id": ("P00001", "P00002", "nowhere"),
        "currency": ("EUR", "USD"),
    },
    "payments": {"amount": ("1.00", "20.00"), "status": ("failed", "refunded"), "currency": ("USD",)},
    "reviews": {"rating": ("1", "5"), "reviewed_at": ("2024-01-15 08:00:00",)},
    "online_retail": {
        "Quantity": ("1", "3", "-2"),
        "Price": ("1.25", "0", "3.333"),
        "InvoiceDate": ("2024-01-02 10:00:00", "2024-06-03 00:30:00"),
        "Customer ID": ("", "C0000003"),
        "Description": ("", "LAMP", "damaged"),
        "StockCode": ("POST", "M", "p00001"),
    },
    "walmart_weekly": {"Weekly_Sales": ("10.5", "-3.25"), "IsHoliday": ("TRUE",)},
    "stallion_beverages": {"volume": ("0", "12.5"), "price_actual": ("7.5",)},
    "movielens_100k": {"rating": ("1", "5"), "timestamp": ("1704100000",)},
}
"""Values that an export may later have, by feed and column."""
WRONG = ("n.a.", "2024-02", "12,50", "1.23456789", "x")


@dataclass(frozen=True)
class Program:
    """Files in the order in which they are put down, as (path, content); `is_benign` where all ends as it truly is."""

    number: int
    is_benign: bool
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Population:
    """Rows of every feed of the shop, and how many programs own them."""

    rows: dict[str, list[Row]]
    programs: int

    def owner(self, key: str | None) -> int:
        """The program that owns an order, a customer, a product."""
        return crc32((key or "").encode()) % self.programs

    def of(self, program: int, feed: str) -> list[Row]:
        """The rows of a feed that a program owns."""
        return [row for row in self.rows[feed] if self.owner(row[ENTITY[feed]]) == program]


def population(folder: Path, programs: int, seed: int) -> Population:
    """Rows of a small clean shop that is made in a folder."""
    shop = make_shop(
        Options(folder, seed=seed, days=16, customers=60, products=30, orders_per_day=max(6, programs // 6), clean=True)
    )
    rows: dict[str, list[Row]] = {}
    for feed in ENTITY:
        rows[feed] = []
        for file in sorted((shop.output / feed).iterdir()):
            text = file.read_text(encoding="utf-8")
            if feed in JSON_FEEDS:
                rows[feed] += [json.loads(line) for line in text.splitlines()]
            else:
                rows[feed] += list(csv.DictReader(io.StringIO(text)))
    sessions = {row["session_id"] for row in rows["page_events"]}
    some = sorted(filter(None, sessions))[: 3 * programs]
    rows["page_events"] = [row for row in rows["page_events"] if row["session_id"] in some]
    return Population(rows, programs)


# --- what an export does to a file ------------------------------------------------------------------------------------


def _edited(draw: Random, feed: str, rows: list[Row]) -> list[Row]:
    at = draw.randrange(len(rows))
    column = draw.choice(sorted(EDITS[feed]))
    return [row | {column: draw.choice(EDITS[feed][column])} if n == at else row for n, row in enumerate(rows)]


def _respelt(draw: Random, rows: list[Row]) -> list[Row]:
    return [{name: _spelling(draw, value) for name, value in row.items()} for row in rows]


def _spelling(draw: Random, value: str | None) -> str | None:
    if not isinstance(value, str) or not value:
        return value
    if value[:4].isdigit() and value[4:5] == "-" and ":" in value:
        day, clock = value.replace("T", " ").split(" ")
        clock = clock.removesuffix(":00") if clock.count(":") == 2 else clock
        return draw.choice([value, f"{day}T{clock}", f" {day} {clock}", f"{day} {clock} "])
    if value.lstrip("-").isdigit() and not value.startswith("0"):
        return draw.choice([value, f" {value}", f"{value} "])
    if value.lstrip("-").replace(".", "", 1).isdigit() and "." in value:
        return draw.choice([value, f"{value}0" if len(value.split(".")[1]) < 3 else value, f" {value}"])
    return draw.choice([value, f"{value} ", f"  {value}"])


def _spoilt(draw: Random, feed: str, rows: list[Row]) -> list[Row]:
    at, column = draw.randrange(len(rows)), draw.choice(sorted(EDITS[feed]))
    return [row | {column: draw.choice(WRONG)} if n == at else row for n, row in enumerate(rows)]


def _name(stem: str, shift: int, number: int, kind: str = "") -> str:
    """A file's name whose date is some days later or earlier than the stem's."""
    feed, day = stem.rsplit("_", 1)
    moved = date.fromisoformat(day) + timedelta(days=shift)
    return f"{feed}_{moved}_{number:04}{kind}"


Habit = Callable[[Random, str, list[Row], str, int], Contents]
BENIGN: dict[str, Habit] = {
    "whole": lambda _d, _f, rows, stem, n: [(_name(stem, 0, n), rows)],
    "half then whole": lambda _d, _f, rows, stem, n: [
        (_name(stem, 0, n), rows[: (len(rows) + 1) // 2]),
        (_name(stem, 0, n), rows),
    ],
    "in two files": lambda _d, _f, rows, stem, n: [
        (_name(stem, 1, n), rows[len(rows) // 2 :]),
        (_name(stem, 0, n), rows[: len(rows) // 2]),
    ],
    "edited and back": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, 0, n), _edited(d, f, rows)),
        (_name(stem, 0, n), rows),
    ],
    "twice, later": lambda _d, _f, rows, stem, n: [(_name(stem, 0, n), rows), (_name(stem, 2, n, "b"), rows)],
    "twice, earlier": lambda _d, _f, rows, stem, n: [(_name(stem, 0, n), rows), (_name(stem, -2, n, "b"), rows)],
    "respelt": lambda d, _f, rows, stem, n: [(_name(stem, 0, n), rows), (_name(stem, 1, n, "s"), _respelt(d, rows))],
    "respelt alone": lambda d, _f, rows, stem, n: [(_name(stem, 0, n), _respelt(d, rows))],
    "corrected": lambda d, f, rows, stem, n: [(_name(stem, 0, n), _spoilt(d, f, rows)), (_name(stem, 0, n), rows)],
    "overlapping": lambda _d, _f, rows, stem, n: [
        (_name(stem, 0, n), rows[: len(rows) * 2 // 3]),
        (_name(stem, 1, n, "o"), rows),
    ],
}
"""Habits after which all rows are there once, as they truly are."""
CHANGES: dict[str, Habit] = {
    "edited": lambda d, f, rows, stem, n: [(_name(stem, 0, n), rows), (_name(stem, 0, n), _edited(d, f, rows))],
    "edited in a later file": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, 2, n, "e"), _edited(d, f, rows)),
    ],
    "edited in an earlier file": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, -2, n, "e"), _edited(d, f, rows)),
    ],
    "edited, then delivered again under an older or newer name": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, 2, n, "e"), _edited(d, f, rows)),
        (_name(stem, d.choice([-3, 1, 3]), n, "r"), rows),
    ],
    "shrunk": lambda _d, _f, rows, stem, n: [(_name(stem, 0, n), rows), (_name(stem, 0, n), rows[:-1] or rows)],
    "a line taken out in a later file": lambda _d, _f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, 2, n, "t"), rows[:-1] or rows),
    ],
    "spoilt": lambda d, f, rows, stem, n: [(_name(stem, 0, n), _spoilt(d, f, rows))],
    "two different rows of a key": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), [*rows, _edited(d, f, rows[:1])[0]])
    ],
    "a row twice": lambda _d, _f, rows, stem, n: [(_name(stem, 0, n), [*rows, rows[0]])],
    "spoilt later": lambda d, f, rows, stem, n: [
        (_name(stem, 0, n), rows),
        (_name(stem, 1, n, "w"), _spoilt(d, f, rows)),
    ],
}
"""Habits after which something else is true."""


def program(people: Population, number: int, seed: int) -> Program:
    """The deliveries of the shop's program of a number; every second is benign."""
    draw, is_benign = Random(f"{seed} {number}"), number % 2 == 0
    files: list[tuple[str, str]] = []
    chains: list[list[tuple[str, str]]] = []
    for feed in ENTITY:
        for part, rows in enumerate(_parts(draw, people.of(number, feed))):
            stem = f"{feed}/{feed}_{date(2024, 1, 3) + timedelta(days=draw.randrange(12))}"
            habits = BENIGN if is_benign or draw.random() < 0.4 else CHANGES
            contents = habits[draw.choice(sorted(habits))](draw, feed, rows, stem, 10 * number + part)
            ending = "json" if feed in JSON_FEEDS else "csv"
            chains.append([(f"{name}.{ending}", _text(feed, content)) for name, content in contents if content])
    while chains:  # files of different feeds come in any order, the contents of one chain in theirs
        chain = draw.choice(chains)
        files.append(chain.pop(0)) if chain else chains.remove(chain)
    return Program(number, is_benign, tuple(files))


def online_retail(people: Population, number: int, seed: int) -> Program:
    """The same for Online Retail: orders as invoices of one feed, some taken back."""
    draw, is_benign = Random(f"{seed} retail {number}"), number % 2 == 0
    rows: list[Row] = []
    for line in people.of(number, "order_lines"):
        row: Row = {
            "Invoice": line["order_id"],
            "StockCode": line["product_id"],
            "Description": f"LAMP {line['product_id']}",
            "Quantity": line["quantity"],
            "InvoiceDate": line["ordered_at"],
            "Price": line["unit_price"],
            "Customer ID": line["customer_id"],
            "Country": "France" if line["country"] == "FR" else "United Kingdom",
        }
        rows.append(row)
        if draw.random() < 0.2:
            rows.append(row | {"Invoice": f"C{line['order_id']}", "Quantity": f"-{line['quantity']}"})
    files: list[tuple[str, str]] = []
    for part, some in enumerate(_parts(draw, rows, whole="Invoice")):
        habits = BENIGN if is_benign or draw.random() < 0.4 else CHANGES
        stem = f"online_retail_{date(2024, 1, 3) + timedelta(days=draw.randrange(12))}"
        for name, content in habits[draw.choice(sorted(habits))](draw, "online_retail", some, stem, 10 * number + part):
            files += [(f"{name}.csv", _text("online_retail", content))] if content else []
    return Program(number, is_benign, tuple(files))


def panels(seed: int) -> list[Program]:
    """Files of fixed names that grow and are edited: the feeds of Walmart, Stallion and MovieLens."""
    draw = Random(f"{seed} panels")
    programs: list[Program] = []
    fridays = [date(2012, 1, 6) + timedelta(weeks=n) for n in range(6)]
    sales: list[Row] = [
        {"Store": s, "Dept": d, "Date": str(on), "Weekly_Sales": f"{draw.randrange(9999) / 100}", "IsHoliday": "FALSE"}
        for s in "12"
        for d in "123"
        for on in fridays
    ]
    names = ("Temperature", "Fuel_Price", *(f"MarkDown{n}" for n in range(1, 6)), "CPI", "Unemployment")
    features: list[Row] = [
        {"Store": s, "Date": str(on), **{n: draw.choice(["NA", "1.5", "20"]) for n in names}, "IsHoliday": "FALSE"}
        for s in "12"
        for on in fridays
    ]
    volumes: list[Row] = [
        {
            **dict.fromkeys(volumes_feed.MEANINGS, "0"),
            **{"agency": a, "sku": k, "date": f"2015-{month:02}-01", "volume": f"{draw.randrange(999) / 10}"},
            **{"price_regular": "10", "price_actual": "9", "discount": "1"},
        }
        for a in ("Agency_01", "Agency_02")
        for k in ("SKU_01", "SKU_02")
        for month in range(1, 7)
    ]
    ratings: list[Row] = [
        {"user_id": str(u), "item_id": str(i), "rating": str(draw.randrange(1, 6)), "timestamp": str(881250949 + u * i)}
        for u in range(1, 9)
        for i in range(1, 6)
    ]
    for feed, path, rows, columns in (
        ("walmart_weekly", "train.csv", sales, EDITS["walmart_weekly"]),
        ("walmart_weekly", "features.csv", features, {"IsHoliday": ("TRUE",)}),
        ("stallion_beverages", "stallion.csv", volumes, EDITS["stallion_beverages"]),
        ("movielens_100k", "u.data", ratings, EDITS["movielens_100k"]),
    ):
        half = rows[: len(rows) // 2]
        column = draw.choice(sorted(columns))
        edited = [row | {column: draw.choice(columns[column])} if draw.random() < 0.1 else row for row in rows]
        versions = draw.sample([half, rows, edited], 3)
        programs.append(Program(len(programs), False, tuple((path, _text(feed, each)) for each in versions)))
    return programs


def _parts(draw: Random, rows: list[Row], whole: str | None = None) -> list[list[Row]]:
    """Rows cut into one to three exports; rows with the same value of `whole` stay together."""
    if not rows:
        return []
    values = sorted({row[whole] or "" for row in rows}) if whole else [str(n) for n in range(len(rows))]
    part = {value: draw.randrange(min(3, len(values))) for value in values}
    parts: list[list[Row]] = [[], [], []]
    for n, row in enumerate(rows):
        parts[part[(row[whole] or "") if whole else str(n)]].append(row)
    return [each for each in parts if each]


def _text(feed: str, rows: Sequence[Row]) -> str:
    if feed in JSON_FEEDS:
        return "".join(json.dumps(row) + "\n" for row in rows)
    told = io.StringIO()
    writer = csv.DictWriter(
        told, list(rows[0]), delimiter="\t" if feed == "movielens_100k" else ",", lineterminator="\n"
    )
    if feed != "movielens_100k":
        writer.writeheader()
    writer.writerows(rows)
    return told.getvalue()


# --- how they come ----------------------------------------------------------------------------------------------------


def schedule(programs: Iterable[Program], rounds: int, draw: Random) -> list[dict[str, list[str]]]:
    """The contents of each path by round, drawn: contents of one path keep their order, nothing else does."""
    of_path: dict[str, list[str]] = {}
    for each in programs:
        for path, content in each.files:
            of_path.setdefault(path, []).append(content)
    found: list[dict[str, list[str]]] = [{} for _ in range(rounds)]
    for path, contents in of_path.items():
        for at, content in zip(sorted(draw.randrange(rounds) for _ in contents), contents, strict=True):
            found[at].setdefault(path, []).append(content)
    return found


def put(folder: Path, files: dict[str, list[str]]) -> None:
    """Put the newest content of each path down."""
    for path, contents in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(contents[-1], encoding="utf-8")
