"""The same work by Polars and delta-rs: delivered files -> bronze -> silver -> gold.sales_daily.

As a fast script by someone who knows this shop would do it, and easier than what Shoplake does wherever that gives the
same rows. It takes every quote in a line for one that is never closed, finds a cut-off line by its last field but one
(never blank in this feed), cannot load a line with too many fields, writes into an empty warehouse only, and keeps no
account: rows are counted by the parent of both contenders, from the tables. The names of rules, their sentences and
the vocabulary of countries come from Shoplake's declarations, as JSON, so that this process never loads Spark.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import cpu_seconds
from lakehouse.clock import system_clock

Breaks = Mapping[str, pl.Expr]

PLACE = ("_ingested_at", "_source_file", "_source_row")
LINE_KEY = ("order_id", "line_id")
MONEY = pl.Decimal(19, 3)
PRICE = pl.Decimal(18, 4)
RULE = pl.Struct({"rule": pl.String, "message": pl.String, "columns": pl.List(pl.String)})

BROKEN = pl.Schema(
    [("_row", pl.String()), ("_errors", pl.List(RULE)), ("_source_file", pl.String()), ("_source_row", pl.Int64())]
)


@dataclass(frozen=True)
class Work:
    """Where the files are, where the tables go, and the words of the declarations."""

    shop: Path
    warehouse: Path
    words: dict[str, Any]

    def path(self, table: str) -> str:
        """Folder of a table, as in Shoplake's own warehouse."""
        return str(self.warehouse.joinpath(*table.split(".")))

    def write(self, table: str, rows: pl.DataFrame) -> None:
        """The first load of a table."""
        rows.write_delta(self.path(table), mode="append")

    def quarantine(self, table: str, rows: pl.DataFrame) -> None:
        """Keep rejected rows: `_row`, `_errors` and where they came from."""
        told = rows.select("_row", "_errors", "_source_file", "_source_row").with_columns(*_stamps())
        if len(told):
            self.write(f"{table}__quarantine", told)

    def scan(self, table: str) -> pl.LazyFrame:
        """All rows of a table."""
        return pl.scan_delta(self.path(table))


def promote_all(work: Work) -> dict[str, float]:
    """Promote all that gold.sales_daily is made from; the seconds of each layer."""
    marks = [time.monotonic()]
    for layer in ((bronze_order_lines, bronze_products), (silver_products, silver_order_lines), (gold_sales_daily,)):
        for step in layer:
            step(work)
        marks.append(time.monotonic())
    seconds = [after - before for before, after in pairwise(marks)]
    return dict(zip(("bronze", "silver", "gold"), seconds, strict=True)) | {"rest": 0.0}


# --- bronze -----------------------------------------------------------------------------------------------------------


def bronze_order_lines(work: Work) -> None:
    """All values as text, with file and line; a column that is not in the first file's header is rescued as JSON."""
    by_header = defaultdict(list)
    for path in _new_files(work.shop, "order_lines/order_lines_*.csv"):
        with path.open() as stream:
            by_header[tuple(stream.readline().rstrip("\n").split(","))].append(path)
    usual = next(iter(by_header))
    parts = [_read_lines(work, paths, header, usual) for header, paths in by_header.items()]
    lines = pl.concat(parts, how="diagonal").collect(engine="streaming")
    is_broken = pl.col("_rule").is_not_null()
    broken = lines.filter(is_broken).with_columns(
        _errors=pl.concat_list(_reason(pl.col("_rule"), pl.lit("the line is no record"), ()))
    )
    work.quarantine("bronze.shop_order_lines", broken)
    sound = lines.filter(~is_broken).drop("_rule", "_row")
    del lines
    work.write("bronze.shop_order_lines", sound.with_columns(*_stamps()))


def _read_lines(work: Work, paths: list[Path], header: Sequence[str], usual: Sequence[str]) -> pl.LazyFrame:
    """Lines of files with one header; `_rule` and `_row` only where a line is broken."""
    texts = [pl.col(name) for name in header]
    read = pl.scan_csv(
        paths,
        quote_char=None,
        infer_schema=False,
        empty_string_is_null=False,
        row_index_name="_index",
        include_file_paths="_path",
    )
    has_quote = pl.any_horizontal(*[text.str.contains('"', literal=True) for text in texts])
    rule = pl.when(has_quote).then(pl.lit("line.quote")).when(texts[-2] == "").then(pl.lit("line.fields"))
    whole = pl.concat_str(*texts, separator=",")
    raw = pl.when(texts[-2] == "").then(whole.str.strip_chars_end(",")).otherwise(whole)
    new = [name for name in header if name not in usual]
    pairs = [pl.concat_str(pl.lit(f'"{name}": "'), pl.col(name), pl.lit('"')) for name in new]
    rescued = pl.concat_str(pl.lit("{"), pl.concat_str(pairs, separator=", "), pl.lit("}")) if new else pl.lit(None)
    return read.select(
        *usual,
        rescued.cast(pl.String).alias("_rescued_data"),
        pl.col("_path").str.strip_prefix(f"{work.shop}/").alias("_source_file"),
        # The header is line 1, and the first record is number 0.
        (pl.col("_index") - pl.col("_index").min().over("_path") + 2).cast(pl.Int64).alias("_source_row"),
        rule.alias("_rule"),
        pl.when(rule.is_not_null()).then(raw).alias("_row"),
    )


def bronze_products(work: Work) -> None:
    """The objects of JSON lines, all values as text; a line that is no JSON is broken."""
    rows: list[dict[str, Any]] = []
    broken: list[dict[str, Any]] = []
    for path in _new_files(work.shop, "products/products_*.json"):
        file = path.relative_to(work.shop).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = {"_source_file": file, "_source_row": number}
            try:
                found = json.loads(line, parse_int=str, parse_float=str)
            except json.JSONDecodeError as error:
                errors = [{"rule": "line.json", "message": str(error), "columns": []}]
                broken.append({"_row": line, "_errors": errors} | place)
            else:
                rows.append({key: _as_text(value) for key, value in found.items()} | place)
    work.quarantine("bronze.shop_products", pl.DataFrame(broken, BROKEN))
    work.write("bronze.shop_products", pl.DataFrame(rows, infer_schema_length=None).with_columns(*_stamps()))


def _as_text(value: str | bool | None) -> str | None:
    return ("true" if value else "false") if isinstance(value, bool) else value


def _new_files(shop: Path, pattern: str) -> list[Path]:
    """The files of a feed, by name; one whose bytes came before under another name is left out."""
    paths = sorted(shop.glob(pattern))
    with ThreadPoolExecutor(4) as pool:
        known = dict(zip(pool.map(_sha256, reversed(paths)), reversed(paths), strict=True))
    return sorted(known.values())


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _stamps() -> list[pl.Expr]:
    return [pl.lit(system_clock()).dt.convert_time_zone("UTC").alias("_ingested_at"), pl.lit("1").alias("_batch_id")]


# --- silver -----------------------------------------------------------------------------------------------------------


def silver_order_lines(work: Work) -> None:
    """Typed, split by the rules of silver.order_lines, and the newest row of each key."""
    products = work.scan("silver.products").select("product_id").unique().collect().to_series()
    lines = _typed_lines(work.scan("bronze.shop_order_lines"), work.words["codes"], work.words["names"])
    breaks = line_rules(products)
    sound = _split(work, "silver.order_lines", lines, breaks)
    again = pl.Series(sound.select(pl.struct(*LINE_KEY).is_duplicated()).to_series())
    rivals = sound.filter(again).sort(*LINE_KEY, *PLACE, descending=[False, False, True, True, True])
    winners = rivals.filter(pl.struct(*LINE_KEY).is_first_distinct())
    work.write("silver.order_lines", pl.concat([sound.filter(~again), winners]))


def _typed_lines(delivered: pl.LazyFrame, codes: dict[str, str], names: dict[str, str]) -> pl.LazyFrame:
    """The columns of silver.order_lines beside the row as it came; `_bad` columns say what could not be typed."""
    discount = pl.coalesce(_text("discount"), pl.lit("0"))
    country = _text("country")
    lines = delivered.select(
        pl.struct(pl.all()).alias("_raw"),
        pl.lit("shop").alias("shop_id"),
        _text("order_id"),
        _text("line_no").alias("line_id"),
        _timestamp("ordered_at").alias("sold_at"),
        _text("customer_id"),
        _text("product_id"),
        pl.lit(None, pl.String).alias("description"),
        _text("quantity").cast(pl.Int32, strict=False),
        _text("unit_price").cast(PRICE, strict=False),
        discount.cast(MONEY, strict=False).alias("discount"),
        _text("currency"),
        country.str.to_uppercase().replace_strict(codes, default="ZZ").fill_null("ZZ").alias("country_code"),
        _text("promotion_id"),
        pl.lit("product").alias("item_type"),
        *[pl.col(name) for name in (*PLACE, "_batch_id")],
        **{f"_text_{name}": _text(name) for name in ("ordered_at", "quantity", "unit_price")},
        _text_discount=discount,
        _text_country=country,
    )
    named = pl.col("country_code").replace_strict(names)
    is_listed = pl.col("_text_country").str.to_uppercase().is_in(list(codes))
    line_type = pl.when(pl.col("quantity") < 0).then(pl.lit("cancellation"))
    return lines.with_columns(
        sold_on=pl.col("sold_at").dt.date(),
        amount=(_gross() - pl.col("discount")).cast(MONEY),
        country=pl.when(is_listed).then(named).otherwise(pl.col("_text_country").fill_null("Unspecified")),
        line_type=line_type.when(pl.col("unit_price") == 0).then(pl.lit("free")).otherwise(pl.lit("sale")),
    )


def _gross() -> pl.Expr:
    return (pl.col("quantity") * pl.col("unit_price")).round(2, mode="half_away_from_zero").cast(MONEY)


def line_rules(products: pl.Series) -> Breaks:
    """Rule of silver.order_lines -> what is true on a row that breaks it."""
    col = pl.col
    needed = ("shop_id", "order_id", "line_id", "product_id", "currency")
    typed = {"sold_at": "ordered_at", "quantity": "quantity", "unit_price": "unit_price"}
    going_back = col("line_type").is_in(["cancellation", "stock_adjustment"])
    kinds = ("product", "shipping", "discount", "fee", "adjustment", "sample", "voucher", "donation")
    types = ("sale", "cancellation", "stock_adjustment", "bad_debt", "free")
    is_sound_sale = (col("line_type") == "sale") & (col("unit_price") >= 0) & (col("quantity") > 0)
    return {
        "sold_at.type": col("sold_at").is_null() & col("_text_ordered_at").is_not_null(),
        "quantity.type": col("quantity").is_null() & col("_text_quantity").is_not_null(),
        "unit_price.type": col("unit_price").is_null() & col("_text_unit_price").is_not_null(),
        "discount.type": col("discount").is_null() & col("_text_discount").is_not_null(),
        **{f"{name}.not_null": col(name).is_null() for name in (*needed, "country_code")},
        **{f"{name}.not_null": col(f"_text_{text}").is_null() for name, text in typed.items()},
        "sold_on.between": col("sold_on") < date(1970, 1, 1),
        "sold_on.not_after_delivery": col("sold_on") > col("_ingested_at").dt.date() + timedelta(days=1),
        "product_id.known": ~col("product_id").is_in(products.implode()),
        "quantity.between": ~col("quantity").is_between(-1_000_000, 1_000_000),
        "unit_price.between": ~col("unit_price").is_between(-10_000_000, 10_000_000),
        "discount.sign": pl.when(col("quantity") < 0).then(col("discount") > 0).otherwise(col("discount") < 0),
        "currency.matches": ~col("currency").str.contains("^[A-Z]{3}$"),
        "country_code.matches": ~col("country_code").str.contains("^[A-Z]{2}$"),
        "item_type.one_of": ~col("item_type").is_in(kinds),
        "line_type.one_of": ~col("line_type").is_in(types),
        "quantity.sign": pl.when(going_back).then(col("quantity") >= 0).otherwise(col("quantity") <= 0),
        "unit_price.sign": (col("unit_price") < 0) & (col("line_type") != "bad_debt"),
        "discount.within": is_sound_sale & (col("discount") > _gross()),
    }


def silver_products(work: Work) -> None:
    """Each delivered state is an event; events that change nothing are folded into the version before them."""
    delivered = work.scan("bronze.shop_products")
    plain = ("name", "description", "category", "subcategory", "brand", "color", "material", "supplier_id")
    events = delivered.select(
        pl.struct(pl.all()).alias("_raw"),
        pl.lit("shop").alias("shop_id"),
        _text("product_id"),
        _timestamp("updated_at"),
        *map(_text, plain),
        _text("list_price").cast(MONEY, strict=False),
        _text("unit_cost").cast(MONEY, strict=False),
        _text("listed_on").str.to_date("%Y-%m-%d", strict=False),
        _text("is_active").replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean),
        *[pl.col(name) for name in (*PLACE, "_batch_id")],
        **{f"_text_{name}": _text(name) for name in _TYPED},
    )
    sound = _split(work, "silver.products", events, product_rules()).sort("product_id", "updated_at", *PLACE)
    states = sound.filter(pl.struct("product_id", "updated_at").is_last_distinct())
    content = pl.struct(*[name for name in states.columns if name not in ("updated_at", *PLACE, "_batch_id")])
    versions = states.filter(content.ne_missing(content.shift()))
    ends = pl.col("updated_at").shift(-1).over("product_id")
    work.write("silver.products", versions.with_columns(__START_AT="updated_at", __END_AT=ends))


_TYPED = ("updated_at", "list_price", "unit_cost", "listed_on", "is_active")


def product_rules() -> Breaks:
    """Rule of silver.products -> what is true on a row that breaks it."""
    needed = ("shop_id", "product_id", "name")
    return {
        "updated_at.not_null": pl.col("_text_updated_at").is_null(),
        "updated_at.not_after_delivery": pl.col("updated_at") > pl.col("_ingested_at") + timedelta(days=1),
        **{f"{name}.type": pl.col(name).is_null() & pl.col(f"_text_{name}").is_not_null() for name in _TYPED},
        **{f"{name}.not_null": pl.col(name).is_null() for name in needed},
        **{f"{name}.between": pl.col(name) < 0 for name in ("list_price", "unit_cost")},
    }


def _split(work: Work, table: str, rows: pl.LazyFrame, breaks: Breaks) -> pl.DataFrame:
    """Put the rows that break a rule into quarantine, with the reasons; returns the others."""
    marked = rows.with_columns(_is_bad=pl.any_horizontal(*[broken.fill_null(False) for broken in breaks.values()]))
    helpers = [name for name in marked.collect_schema().names() if name.startswith("_text_")]
    good = marked.filter(~pl.col("_is_bad")).drop("_raw", "_is_bad", *helpers)
    bad, sound = pl.collect_all([marked.filter("_is_bad"), good], engine="streaming")
    reasons = [
        pl.when(broken).then(_reason(pl.lit(rule), *_said(work.words["rules"][table][rule])))
        for rule, broken in breaks.items()
    ]
    told = bad.with_columns(
        _row=pl.col("_raw").struct.json_encode(), _errors=pl.concat_list(*reasons).list.drop_nulls()
    )
    work.quarantine(table, told)
    return sound


def _said(declared: Mapping[str, Any]) -> tuple[pl.Expr, Sequence[str]]:
    """The message of a rule with the values that break it, and the columns that it is about."""
    values = [pl.col(name).cast(pl.String).str.slice(0, 80).fill_null("missing") for name in declared["columns"]]
    return pl.concat_str(pl.lit(f"{declared['says']}; it is "), pl.concat_str(values, separator=", ")), declared[
        "columns"
    ]


def _reason(rule: pl.Expr, message: pl.Expr, columns: Sequence[str]) -> pl.Expr:
    about = pl.lit(pl.Series([list(columns)], dtype=pl.List(pl.String))).first()
    return pl.struct(rule.alias("rule"), message.alias("message"), about.alias("columns"))


def _text(name: str) -> pl.Expr:
    """Trimmed text; blank text is missing."""
    trimmed = pl.col(name).str.strip_chars(" ")
    return pl.when(trimmed != "").then(trimmed).alias(name)


def _timestamp(name: str) -> pl.Expr:
    return _text(name).str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=False)


# --- gold -------------------------------------------------------------------------------------------------------------


def gold_sales_daily(work: Work) -> None:
    """The measures of gold.sales_daily. Without a feed of orders no order is cancelled or returned."""
    versions = work.scan("silver.products").select("product_id", "unit_cost", "__START_AT").sort("__START_AT")
    lines = work.scan("silver.order_lines").sort("sold_at")
    lines = lines.join_asof(versions, left_on="sold_at", right_on="__START_AT", by="product_id", check_sortedness=False)
    is_own = pl.col("currency") == pl.col("currency").mode().max()
    cost = pl.when(is_own).then(pl.col("quantity") * pl.col("unit_cost"))
    days = lines.with_columns(kind=_kind(), cost=cost).group_by("shop_id", "sold_on", "currency")
    is_sale, amount = pl.col("kind") == "sale", pl.col("amount")
    is_costed = pl.col("kind").is_in(["sale", "cancellation"]) & pl.col("cost").is_not_null()
    nothing, no_money = pl.lit(0, pl.Int64), pl.lit(0, MONEY)
    measured = days.agg(
        lines=pl.len().cast(pl.Int64),
        orders=pl.col("order_id").filter(is_sale).n_unique().cast(pl.Int64),
        cancelled_orders=nothing,
        customers=pl.col("customer_id").filter(is_sale).drop_nulls().n_unique().cast(pl.Int64),
        units=pl.col("quantity").filter(is_sale).sum().cast(pl.Int64),
        cancelled_units=pl.col("quantity").filter(pl.col("kind") == "cancellation").sum().cast(pl.Int64),
        gross_sales=amount.filter(is_sale).sum(),
        cancelled_amount=amount.filter(pl.col("kind") == "cancellation").sum(),
        net_revenue=amount.filter(pl.col("kind").is_in(["sale", "cancellation"])).sum(),
        status_cancelled_amount=no_money,
        costed_revenue=amount.filter(is_costed).sum(),
        margin=pl.when(is_costed.any()).then((amount - pl.col("cost")).filter(is_costed).sum()),
        charges_amount=amount.filter(~pl.col("kind").is_in(["sale", "cancellation"])).sum(),
        line_amount=amount.sum(),
        **{
            f"{kind}_amount": amount.filter(pl.col("kind") == kind).sum()
            for kind in ("shipping", "fee", "discount", "adjustment", "other")
        },
    )
    work.write("gold.sales_daily", measured.cast({pl.Decimal: MONEY}).collect(engine="streaming"))


def _kind() -> pl.Expr:
    """What a line counts as; the first that fits."""
    item, line = pl.col("item_type"), pl.col("line_type")
    is_adjustment = (item == "adjustment") | line.is_in(["bad_debt", "stock_adjustment"])
    return (
        pl.when((item == "product") & line.is_in(["sale", "cancellation"]))
        .then(line)
        .when(is_adjustment)
        .then(pl.lit("adjustment"))
        .when(item.is_in(["shipping", "fee", "discount"]))
        .then(item)
        .otherwise(pl.lit("other"))
    )


def main() -> None:
    """Run as a process of its own: promote, and leave what was measured in a file."""
    options = argparse.ArgumentParser(description=__doc__)
    for name in ("shop", "warehouse", "words", "result"):
        options.add_argument(name, type=Path)
    chosen = options.parse_args()
    ready, cpu = time.monotonic(), cpu_seconds()
    stages = promote_all(Work(chosen.shop, chosen.warehouse, json.loads(chosen.words.read_text())))
    measured = {"ready_at": ready, "seconds": time.monotonic() - ready, "cpu_seconds": cpu_seconds() - cpu}
    chosen.result.write_text(json.dumps(measured | {"stages": stages}))


if __name__ == "__main__":
    main()
