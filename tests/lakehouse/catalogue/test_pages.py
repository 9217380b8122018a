"""The catalogue from the real declarations and made-up records; no Spark but where rows are read."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.steps import ALL
from lakehouse.catalogue import pages as catalogue
from lakehouse.catalogue import picture
from lakehouse.catalogue.pages import Chart, Records, Stand
from lakehouse.errors import UsageError
from lakehouse.promotion.quarantine import by_rule
from lakehouse.session import spark_session
from lakehouse.settings import Settings
from lakehouse.store.lake import Lake

NOW = datetime(2026, 3, 29, 12, 30, tzinfo=UTC)
TABLES = catalogue.tables_of(ALL)
HOSTILE = "<script>alert('x')</script>&"
ORDERS = "silver.orders"
ORDERS_STEP = "silver.orders <- bronze.shop_orders"


def batch(**changed: Any) -> dict[str, Any]:
    sums = {"read": 1234, "accepted": 1200, "quarantined": 20, "duplicate": 4, "folded": 0, "generated": 0}
    stored = {"inserted": 1100, "updated": 60, "unchanged": 40, "deleted": 0}
    money: dict[str, Any] = {"read": Decimal("5000.10"), "accepted": Decimal("4900.10"), "inserted": Decimal("4900.10")}
    money |= {"quarantined": Decimal("100.00"), "duplicate": None, "updated": None, "unchanged": None, "filtered": {}}
    facts = {"batch_id": "b1", "table": ORDERS, "step": ORDERS_STEP, "at": NOW}
    rows = {f"rows_{name}": count for name, count in (sums | stored).items()}
    maps = {"rows_filtered": {"superseded": 10}, "rows_warned": {}, "rows_rejected_by_rule": {"status.one_of": 20}}
    return facts | rows | maps | {f"amount_{name}": amount for name, amount in money.items()} | changed


def finding(**changed: Any) -> dict[str, Any]:
    facts = {"table": ORDERS, "step": ORDERS_STEP, "at": NOW, "batch_id": "b1", "expectation": "status.one_of"}
    verdict = {"says": "status must be known", "passed": True, "is_warning": False, "failing_rows": None}
    return facts | verdict | {"observed": None, "examples": None} | changed


def file(**changed: Any) -> dict[str, Any]:
    facts = {"table": "bronze.shop_orders", "file": "orders/orders_1.csv", "status": "loaded", "at": NOW, "message": ""}
    counts = {"size_bytes": 12345, "lines": 10, "records": 9, "broken": 0, "total": 1, "loaded_at": None}
    return facts | counts | changed


def refused(table: str, text: str) -> dict[str, Any]:
    example = {"row_id": "r1", "row": text, "reasons": [text], "file": "orders/orders_1.csv", "line": 7}
    rule = {"rule": "status.one_of", "rows": 20, "resubmitted": 1, "last_at": NOW}
    return {"table": table, "example": example} | rule


def run(**changed: Any) -> dict[str, Any]:
    facts = {"started_at": NOW - timedelta(seconds=95), "ended_at": NOW, "exit_code": 0, "batches": 3, "message": None}
    return facts | {"job": "run.py --source shop", "git_commit": "0123456789abcdef"} | changed


def records(**changed: Any) -> Records:
    stands = {name: Stand(1234567) for name in TABLES}
    given: dict[str, Any] = {"stands": stands, "ledger": [batch()], "gates": [finding()], "files": [file()]}
    given |= {"runs": [run()], "refused": [refused(ORDERS, '{"status": "gone"}')]}
    return Records(NOW, "warehouse", **given | changed)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return catalogue.pages(ALL, records())


class Page(HTMLParser):
    """Links, ids and text of a page; tags that are not closed in order are an error."""

    VOID = frozenset(["meta", "link", "br", "rect", "path", "source", "img"])

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append(tag)
        self.links += [named["href"] or ""] if "href" in named else []
        self.ids += [named["id"] or ""] if "id" in named else []
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def squeezed(html: str) -> str:
    return re.sub(r"\s+", " ", Page(html).text)


# --- what the declarations say ----------------------------------------------------------------------------------------


def test_every_table_has_a_page_with_every_column_and_rule(pages: dict[str, str]) -> None:
    assert set(pages) == {"index.html", "ops.html", *(f"{name}.html" for name in TABLES)}
    index = Page(pages["index.html"])
    for name, table in TABLES.items():
        assert f"{name}.html" in index.links
        assert table.meaning in index.text
        text = squeezed(pages[f"{name}.html"])
        said = [table.meaning, table.row_law, *table.all_columns, *(f.meaning for f in table.fields)]
        said += [rule.says for rule in table.row_rules] + [each.says for each in table.expectations]
        assert [words for words in said if re.sub(r"\s+", " ", words) not in text] == []


def test_every_link_leads_to_a_page_that_is_written(pages: dict[str, str]) -> None:
    parsed = {name: Page(html) for name, html in pages.items()}
    for name, page in parsed.items():
        assert len(page.ids) == len(set(page.ids)), name
        for link in page.links:
            if link.startswith("data:"):
                continue
            target, _, anchor = link.partition("#")
            assert (target or name) in parsed, f"{name}: {link}"
            assert not anchor or anchor in parsed[target or name].ids, f"{name}: {link}"


def test_pages_need_no_network_and_no_script(pages: dict[str, str]) -> None:
    for name, html in pages.items():
        assert "script" not in Page(html).tags, name
        assert not re.search(r"https?://|src=|@import|url\(", html), name


def test_the_matrix_says_what_the_steps_declare() -> None:
    for step, marks in catalogue.matrix(ALL):
        reads = {read.table.name for read in step.reads}
        assert {name for name, mark in marks.items() if "R" in mark} == reads
        assert {name for name, mark in marks.items() if "W" in mark} == {step.table.name}
        looked_up = {rule.reference.name for rule in step.table.row_rules if rule.reference}
        assert {name for name, mark in marks.items() if mark == "K"} == looked_up - reads - {step.table.name}


def test_who_reads_a_table_stands_on_its_page(pages: dict[str, str]) -> None:
    readers = {step.table.name for step in ALL if "silver.stock_levels" in {read.table.name for read in step.reads}}
    links = Page(pages["silver.stock_levels.html"]).links
    assert {f"{name}.html" for name in readers} <= set(links)
    assert "silver.order_lines.html" in Page(pages["silver.products.html"]).links


def test_the_picture_has_each_table_once_and_no_box_over_another() -> None:
    drawn = picture.draw(ALL)
    boxes = {box.name: box for box in drawn.boxes}
    assert {name for name, box in boxes.items() if not box.is_files} == set(TABLES)
    assert len(boxes) == len(drawn.boxes)
    for one in drawn.boxes:
        assert 0 <= one.x <= one.x + one.width <= drawn.width
        assert 0 <= one.y <= one.y + one.height <= drawn.height
        others = [other for other in drawn.boxes if other is not one and other.x == one.x]
        assert all(other.y >= one.y + one.height or one.y >= other.y + other.height for other in others)


def test_lines_run_from_left_to_right_between_boxes() -> None:
    drawn = picture.draw(ALL)
    boxes = {box.name: box for box in drawn.boxes}
    declared = {(read.table.name, step.table.name) for step in ALL for read in step.reads}
    declared |= {(picture.feed_name(step), step.table.name) for step in ALL if step.feed}
    assert {(line.source, line.target) for line in drawn.lines} == declared
    for line in drawn.lines:
        assert boxes[line.source].x < boxes[line.target].x
        numbers = [float(number) for number in re.findall(r"-?\d+\.\d", line.path)]
        source, target = boxes[line.source], boxes[line.target]
        assert numbers[0] == pytest.approx(source.x + source.width, abs=0.2)
        assert numbers[-2] == pytest.approx(target.x, abs=0.2)


# --- what the records say ---------------------------------------------------------------------------------------------


def test_only_what_the_warehouse_has_is_shown_gold_first() -> None:
    stands = {
        name: Stand(5) for name in TABLES if name.startswith("bronze.shop_") or name in (ORDERS, "gold.sales_daily")
    }
    shown = catalogue.pages(ALL, records(stands=stands, refused=[]))
    assert set(shown) == {"index.html", "ops.html", *(f"{name}.html" for name in stands)}
    headings = re.findall(r'<h2 id="(gold|silver|bronze|ops)"', shown["index.html"])
    assert headings == ["gold", "silver", "bronze"]
    assert {
        box.name for box in picture.draw(catalogue.here(ALL, records(stands=stands))).boxes if not box.is_files
    } == (set(stands))
    assert "online_retail" not in shown["silver.orders.html"]  # a way in from a source that was never delivered


def test_a_table_whose_first_batch_was_blocked_is_greyed() -> None:
    told = records(stands={"bronze.shop_orders": Stand(5)}, gates=[finding(passed=False)])
    shown = catalogue.pages(ALL, told)
    assert shown["index.html"].count("not filled yet") == 2  # in the list and in the picture
    assert shown["index.html"].count('<tr class="missing">') == 1
    assert "not filled yet" in shown["silver.orders.html"]
    assert "No batch was published yet." in catalogue.pages(ALL, replace(told, ledger=()))["silver.orders.html"]


def test_charts_stand_on_top_with_their_numbers_for_light_and_dark() -> None:
    light, dark = '<svg xmlns="http://www.w3.org/2000/svg"/>', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'
    chart = Chart("Net revenue", HOSTILE, light, dark, ("day", "EUR"), [("2024-01-01", "1,234.50")])
    index = catalogue.pages(ALL, records(charts=[chart]))["index.html"]
    for text in (light, dark):
        assert f"data:image/svg+xml;base64,{b64encode(text.encode()).decode()}" in index
    assert "1,234.50" in index
    assert "script" not in Page(index).tags
    assert index.index("Net revenue") < index.index('id="gold"')


def test_the_account_is_written_out_and_balances(pages: dict[str, str]) -> None:
    text = squeezed(pages["silver.orders.html"])
    assert "1,234 read = 1,200 accepted + 20 quarantined + 4 duplicate + 10 left out: superseded balances" in text
    assert "1,200 accepted = 1,100 inserted + 60 updated + 40 unchanged balances" in text
    assert "5,000.10 read = 4,900.10 accepted + 100.00 quarantined balances" in text


def test_an_account_that_does_not_balance_shows_by_how_much() -> None:
    html = catalogue.pages(ALL, records(ledger=[batch(rows_duplicate=0)]))["silver.orders.html"]
    assert "off by 4" in html
    assert [each.difference for each in catalogue.equations(batch(rows_duplicate=0))] == [4, 0, 0, 0]


def test_a_table_without_money_has_equations_of_rows_alone() -> None:
    assert [each.what for each in catalogue.equations(batch(amount_read=None))] == ["rows", "rows stored"]


def test_what_shops_deliver_is_text_and_never_markup() -> None:
    told = records(
        ledger=[batch(rows_filtered={HOSTILE: 10}, rows_rejected_by_rule={HOSTILE: 1})],
        gates=[finding(passed=False, says=HOSTILE, observed=HOSTILE, examples=[HOSTILE], failing_rows=1)],
        files=[file(file=HOSTILE, status="unreadable", message=HOSTILE), file(file=HOSTILE)],
        refused=[refused(ORDERS, HOSTILE) | {"rule": HOSTILE}],
        drift=[{"table": "bronze.shop_orders", "column": HOSTILE, "change": "new", "file": HOSTILE, "at": NOW}],
        runs=[run(job=HOSTILE.replace("'", ""), message=HOSTILE)],
    )
    for name, html in catalogue.pages(ALL, told).items():
        assert "script" not in Page(html).tags, name
    assert "&lt;script&gt;" in catalogue.pages(ALL, told)["silver.orders.html"]


@pytest.mark.parametrize("table", ["silver.customers", "bronze.shop_customers"])
def test_rows_that_may_be_personal_are_not_shown(table: str) -> None:
    gates = [finding(table=table, passed=False, is_warning=True, examples=["email=ann@example.org"])]
    told = records(refused=[refused(table, "ann@example.org")], gates=gates)
    for html in catalogue.pages(ALL, told).values():
        assert "ann@example.org" not in html
    assert "may hold personal data" in catalogue.pages(ALL, told)[f"{table}.html"]
    assert "gone" in catalogue.pages(ALL, records())["silver.orders.html"]


def test_corrections_given_on_the_command_line_are_not_shown() -> None:
    job = "quarantine.py resubmit silver.customers --set 'email=ann@example.org' --set=phone=555-1"
    text = squeezed(catalogue.pages(ALL, records(runs=[run(job=job)]))["ops.html"])
    assert "resubmit silver.customers --set email=... --set=phone=..." in text


def test_a_table_is_as_good_as_the_worst_gate_of_its_ways_in() -> None:
    warned = finding(passed=False, is_warning=True)
    blocked = finding(passed=False, step="silver.orders <- silver.order_lines", failing_rows=5)
    assert catalogue.gate_state([]) == "none"
    assert catalogue.gate_state([finding()]) == "passed"
    assert catalogue.gate_state([finding(), warned]) == "warned"
    assert catalogue.gate_state([finding(), warned, blocked]) == "blocked"
    shown = catalogue.pages(ALL, records(gates=[finding(), blocked]))
    assert "1</b> tables with a blocked gate" in shown["index.html"]
    assert "status must be known" in shown["silver.orders.html"]


def test_numbers_have_separators_and_times_are_in_utc(pages: dict[str, str]) -> None:
    stand = Stand(1234567, 1000, {"EUR": Decimal("-9876543.20"), None: Decimal("1.00")})
    text = squeezed(catalogue.pages(ALL, records(stands={ORDERS: stand}))["index.html"])
    assert "1,234,567 versions, 1,000 current" in text
    assert "-9,876,543.20 EUR" in text
    abroad = datetime.fromisoformat("2026-03-29T14:30:00+02:00")
    assert "2026-03-29 12:30" in catalogue.pages(ALL, Records(abroad, "w"))["index.html"]
    assert "1 min 35 s" in pages["ops.html"]
    assert "12.3 kB" in pages["bronze.shop_orders.html"]


def _contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_can_be_read_in_light_and_in_dark(pages: dict[str, str]) -> None:
    schemes = re.findall(r":root \{(.*?)\}", pages["index.html"], re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6});", scheme))
        pairs = [(text, ground) for text in ("ink", "quiet", "link") for ground in ("ground", "panel")]
        pairs += [(name, f"{name}-fill") for name in ("bronze", "silver", "gold", "good", "warn", "bad", "files")]
        pairs += [("ink", f"{layer}-fill") for layer in ("bronze", "silver", "gold", "files")]
        pairs += [("quiet", f"{layer}-fill") for layer in ("bronze", "silver", "gold", "files")]
        low = {pair: ratio for pair in pairs if (ratio := _contrast(colours[pair[0]], colours[pair[1]])) < 4.5}
        assert low == {}


def test_trainings_are_on_the_page_of_operations_with_their_decisions_and_ratios(tmp_path: Path) -> None:
    why_lost = "does not beat the baseline: squared error 1.02 [.97, 1.08] of it"
    why_won = "squared error is 0.81 [.77, .85] of that of the baseline"
    facts = {"shop_id": "shop", "family": "segment", "run_id": "r1"}
    lost = facts | {"at": NOW, "batch_id": "b2", "alias": "challenger", "to_version": 2, "why": why_lost}
    won = facts | {"at": NOW - timedelta(days=7), "batch_id": "b1", "alias": "champion", "to_version": 1}
    won |= {"why": why_won}
    trained = run(job="shoplake train segment", run_id="r1", batch_id="b3")
    lake = Lake(spark_session, tmp_path / "w", Settings("w", 1, 1), lambda: NOW)
    write_deltalake(lake.path("ops.model_moves"), pa.Table.from_pylist([won, lost]))
    write_deltalake(lake.path("ops.runs"), pa.Table.from_pylist([trained, trained | {"job": "shoplake score segment"}]))
    text = squeezed(catalogue.pages(ALL, catalogue.collect(lake, ALL, tmp_path))["ops.html"])
    assert re.search(rf"2026-03-29 12:30\s*segment\s*shop\s*2\s*not promoted\s*{re.escape(why_lost)}", text)
    assert re.search(rf"2026-03-22 12:30\s*segment\s*shop\s*1\s*champion\s*{re.escape(why_won)}", text)
    assert text.index(why_lost) < text.index(why_won)
    assert "shoplake train segment" in text
    assert "shoplake score segment" in text  # of one process, with one run_id


# --- from the warehouse to records ------------------------------------------------------------------------------------


def test_a_catalogue_of_an_empty_warehouse_says_what_fills_it(tmp_path: Path) -> None:
    lake = Lake(spark_session, tmp_path / "w", Settings("w", 1, 1), lambda: NOW)
    index = catalogue.write(lake, ALL)
    assert index == tmp_path / "w" / "ops" / "catalogue" / "index.html"
    assert "No table was filled yet" in index.read_text()
    assert {path.name for path in index.parent.iterdir()} == {"index.html", "ops.html"}


def test_pages_of_tables_that_are_gone_are_removed(tmp_path: Path) -> None:
    lake = Lake(spark_session, tmp_path / "w", Settings("w", 1, 1), lambda: NOW)
    index = catalogue.write(lake, ALL)
    for name in (f"{ORDERS}.html", "notes.html"):
        (index.parent / name).write_text("older")
    catalogue.write(lake, ALL)
    assert {path.name for path in index.parent.iterdir()} == {"index.html", "ops.html", "notes.html"}


def test_the_link_to_data_docs_is_relative_to_the_pages(tmp_path: Path) -> None:
    lake = Lake(spark_session, tmp_path / "my w", Settings("w", 1, 1), lambda: NOW)
    site = lake.warehouse.joinpath(*catalogue.DATA_DOCS)
    site.parent.mkdir(parents=True)
    site.touch()
    assert catalogue.collect(lake, ALL, lake.warehouse / "ops" / "catalogue").data_docs == (
        "../gx/uncommitted/data_docs/local_site/index.html"
    )
    assert catalogue.collect(lake, ALL, tmp_path / "out").data_docs == "../my%20w/" + "/".join(catalogue.DATA_DOCS)


def test_an_output_that_cannot_be_written_is_a_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    lake = Lake(spark_session, tmp_path / "w", Settings("w", 1, 1), lambda: NOW)
    with pytest.raises(UsageError, match="--output"):
        catalogue.write(lake, ALL, tmp_path / "taken")


def _rows(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{"batch_id": f"b{index}"} | row for index, row in enumerate(rows)])


def test_the_newest_rows_are_kept_for_each_table() -> None:
    rows = _rows(*({"table": table, "at": NOW + timedelta(hours=hour)} for table in "ab" for hour in range(4)))
    kept = catalogue._newest(rows, 2, "table")
    assert [(row["table"], row["at"].hour) for row in kept] == [("b", 15), ("a", 15), ("b", 14), ("a", 14)]


def test_only_the_last_gate_of_each_step_counts() -> None:
    rows = [{"step": step, "batch_id": f"{step}{n}", "at": NOW + timedelta(n)} for step in "xy" for n in (1, 2)]
    kept = catalogue._last_gates(_rows(*rows, rows[1], {"step": "z", "batch_id": "z1", "at": NOW}))
    assert sorted(row["batch_id"] for row in kept) == ["x2", "x2", "y2", "z1"]


def test_a_file_that_was_loaded_later_is_not_missing() -> None:
    later = NOW + timedelta(1)
    rows = [
        {"table": "t", "file": "a.csv", "status": "unreadable", "at": NOW},
        {"table": "t", "file": "a.csv", "status": "loaded", "at": later},
        {"table": "t", "file": "b.csv", "status": "unreadable", "at": later},
        {"table": "t", "file": "b.csv", "status": "loaded", "at": NOW},
    ]
    found = {(f["file"], f["status"]): (f["total"], f["loaded_at"]) for f in catalogue._files(_rows(*rows))}
    assert found[("a.csv", "unreadable")] == (2, later)
    assert found[("b.csv", "unreadable")] == (2, None)


def test_refused_rows_are_counted_once_for_each_rule_that_they_break() -> None:
    def broken(*rules: str) -> list[dict[str, Any]]:
        return [{"rule": rule, "message": f"{rule}!", "columns": []} for rule in rules]

    part = pa.Table.from_pylist(
        [
            {"_errors": broken("a", "b"), "_quarantined_at": NOW, "_resubmitted_at": None},
            {"_errors": broken("a"), "_quarantined_at": NOW + timedelta(1), "_resubmitted_at": NOW + timedelta(2)},
            {"_errors": broken("a", "a"), "_quarantined_at": NOW, "_resubmitted_at": None},
        ]
    )
    found = {rule["rule"]: rule for rule in by_rule(part)}
    assert (found["a"]["rows"], found["a"]["resubmitted"], found["a"]["last_at"]) == (3, 1, NOW + timedelta(1))
    assert (found["b"]["rows"], found["b"]["resubmitted"], found["b"]["row"]) == (1, 0, 0)
