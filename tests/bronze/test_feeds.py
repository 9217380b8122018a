"""The feeds as declared, and the real files that they describe."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import bronze
from bronze.online_retail import lines
from bronze.shop import customers, order_lines, products
from lakehouse.declare.table import Step
from lakehouse.intake.files import FileReport, discover, read_file

ROOT = Path(__file__).resolve().parents[2]
RETAIL = ROOT / ".." / "shared" / "data" / "online_retail"
AT = datetime(2024, 5, 1, tzinfo=UTC)


def _load(step: Step, folder: Path, staging: Path) -> tuple[list[FileReport], list[dict[str, str | None]]]:
    found = discover(step.feed, folder, ())
    assert not found.unreadable
    reports = [read_file(each, step.feed, tuple(step.table.all_columns), str(staging), "b1", AT) for each in found.new]
    parts = sorted((staging / "accepted").glob("*.parquet"))
    return reports, [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]


def test_every_module_of_the_layer_is_a_step() -> None:
    modules = [path for path in Path(bronze.__file__).parent.glob("*/*.py") if path.stem != "__init__"]
    assert sorted(path.parent.name for path in modules) == sorted(step.source or "" for step in bronze.STEPS)


@pytest.mark.parametrize("step", bronze.STEPS, ids=lambda step: step.table.name)
def test_a_bronze_table_holds_what_its_feed_delivers_as_text(step: Step) -> None:
    assert step.table.layer == "bronze"
    assert step.table.write == "append"
    assert step.source == step.feed.source
    names = [field.name for field in step.table.fields]
    assert names == [*step.feed.columns, "_rescued_data"]
    assert {field.type for field in step.table.fields} == {"string"}
    assert not any(field.personal or field.rules for field in step.table.fields)


def test_a_feed_has_its_own_name_and_pattern() -> None:
    names = {(step.feed.source, step.feed.name) for step in bronze.STEPS}
    assert len(names) == len(bronze.STEPS) == len({step.feed.pattern for step in bronze.STEPS})


def test_order_lines_of_both_layouts_are_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "order_lines"
    folder.mkdir(parents=True)
    before = (
        "order_id,line_no,ordered_at,customer_id,country,product_id,quantity,unit_price,discount,currency,promotion_id"
    )
    after = (
        "order_id,line_no,product_id,quantity,unit_price,discount,currency,ordered_at,customer_id,country,warehouse,"
        "promotion_id"
    )
    (folder / "order_lines_1.csv").write_text(f"{before}\nO1,1,2024-03-01,C1,DE,P1,2,9.50,0,EUR,\n")
    (folder / "order_lines_2.csv").write_text(f"{after}\nO2,1,P1,2,9.50,0,EUR,2024-03-01,C1,DE,W1,\n")
    _, rows = _load(order_lines.STEP, tmp_path / "in", tmp_path / "staging")
    first, second = sorted(rows, key=lambda row: str(row["order_id"]))
    same = ("product_id", "quantity", "unit_price", "currency", "country", "customer_id")
    assert [first[name] for name in same] == [second[name] for name in same]
    assert (first["_rescued_data"], second["_rescued_data"]) == (None, '{"warehouse": "W1"}')


def test_a_renamed_column_of_customers_is_the_same_column(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "customers"
    folder.mkdir(parents=True)
    for number, name in enumerate(("postcode", "postal_code")):
        columns = [name if column == "postcode" else column for column in customers.FEED.columns]
        text = f"{','.join(columns)}\n{','.join(columns)}{number}\n"
        (folder / f"customers_{number}.csv").write_text(text)
    reports, rows = _load(customers.STEP, tmp_path / "in", tmp_path / "staging")
    assert sorted(str(row["postcode"]) for row in rows) == ["postal_code", "postcode"]
    assert [report.new_columns for report in reports] == [(), ()]


def test_products_are_json_lines(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "products"
    folder.mkdir(parents=True)
    (folder / "products_1.json").write_text('{"product_id": "P1", "list_price": 9.50, "is_active": true}\n')
    _, rows = _load(products.STEP, tmp_path / "in", tmp_path / "staging")
    assert [(row["product_id"], row["list_price"], row["is_active"]) for row in rows] == [("P1", "9.50", "true")]


@pytest.mark.real_data
@pytest.mark.skipif(not RETAIL.is_dir(), reason="needs the Online Retail files in ../shared/data/online_retail")
def test_the_real_online_retail_files_balance_line_by_line(tmp_path: Path) -> None:
    found = discover(lines.FEED, RETAIL, ())
    columns = tuple(lines.TABLE.all_columns)
    reports = [read_file(each, lines.FEED, columns, str(tmp_path), "b1", AT) for each in found.new]
    assert [(report.records, report.broken, report.status) for report in reports] == [
        (525_461, 0, "loaded"),
        (541_909, 0, "loaded"),
    ]
    for delivered, report in zip(found.new, reports, strict=True):
        unzipped = subprocess.run(["gzip", "-dc", delivered.path], capture_output=True, check=True).stdout
        assert report.is_balanced
        assert report.lines == unzipped.count(b"\n") + (not unzipped.endswith(b"\n"))
    assert sum(pq.ParquetFile(part).metadata.num_rows for part in (tmp_path / "accepted").iterdir()) == 1_067_370
