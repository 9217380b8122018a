"""Delivered text becomes typed values, and a secret stays one."""

import hmac
from dataclasses import replace
from hashlib import sha256

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from lakehouse.declare.conform import carried, natural, natural_key, pseudonym, said_anew, typed
from lakehouse.declare.table import Field, Table

TABLE = Table(
    "silver.things",
    "Things.",
    ("name",),
    (Field("name", "string", "name"), Field("pieces", "int", "count"), Field("made_on", "date", "day")),
    "one row per thing",
)


def test_text_is_trimmed_and_typed_and_what_cannot_be_read_is_listed(spark: SparkSession) -> None:
    delivered = [
        (" a ", " 7 ", "2024-02-29"),
        ("", " ", None),
        ("b", "seven", "2023-02-29"),
        ("c", "7.5", "2024-01-01"),
        ("d", "99999999999", "2024-01-01"),
        (" \t\u00a0e\ufeff\u00a0f \t ", "\t8 ", "\u00a0 2024-01-01"),
    ]
    rows = typed(
        spark.createDataFrame(delivered, "n string, p string, m string"), TABLE, name="n", pieces="p", made_on="m"
    )
    found = [(row.name, row.pieces, str(row.made_on), row["_untyped"]) for row in rows.orderBy("name").collect()]
    assert found == [
        (None, None, "None", None),
        ("a", 7, "2024-02-29", None),
        ("b", None, "None", ",pieces,made_on,"),
        ("c", None, "2024-01-01", ",pieces,"),
        ("d", None, "2024-01-01", ",pieces,"),
        ("e\ufeff\u00a0f", 8, "2024-01-01", None),
    ]


@pytest.mark.parametrize(("distribute_by", "grouped"), [((), "name"), (("pieces",), "pieces")])
def test_rows_are_moved_once_for_all_windows_over_parts_of_their_key(
    spark: SparkSession, distribute_by: tuple[str, ...], grouped: str
) -> None:
    delivered = spark.createDataFrame([("a", "7", "2024-02-29", "f")], "n string, p string, m string, file string")
    table = replace(TABLE, grain=("made_on", "name"), scope=("made_on",), distribute_by=distribute_by)
    rows = typed(delivered, table, name="n", pieces="p", made_on="m")
    for parts in (("made_on", "name", "pieces", "file"), ("made_on", grouped), (grouped, "file")):
        rows = rows.withColumn(f"in_{len(rows.columns)}", F.count(F.lit(1)).over(Window.partitionBy(*parts)))
    plan = rows._jdf.queryExecution().executedPlan().toString()
    assert plan.count("Exchange hashpartitioning") == 1


@pytest.mark.parametrize("key", ["k", "0" * 64])
def test_a_pseudonym_is_the_hmac_of_the_text(spark: SparkSession, key: str) -> None:
    texts = ["anna@example.com", "Jürgen Größe", ""]
    rows = spark.createDataFrame([(text,) for text in [*texts, None]], "t string").select(pseudonym(F.col("t"), key))
    expected = [hmac.new(key.encode(), text.encode(), sha256).hexdigest() for text in texts]
    assert [row[0] for row in rows.collect()] == [*expected, None]


def test_a_key_that_is_too_long_is_refused(spark: SparkSession) -> None:
    with pytest.raises(ValueError, match="at most 64 bytes"):
        pseudonym(F.lit("text"), "k" * 65)


def test_names_sort_by_their_numbers_in_spark_as_in_python(spark: SparkSession) -> None:
    names = ["a_2.csv", "a_10.csv", "a_2024-01-03_0010b.csv", "a_12345678901234567890.csv", "b", "", "007"]
    rows = spark.createDataFrame([(name,) for name in names], "name string")
    found = {row.name: row.key for row in rows.select("name", natural(F.col("name")).alias("key")).collect()}
    assert found == {name: natural_key(name) for name in names}
    assert sorted(["a_10.csv", "a_2.csv"], key=natural_key) == ["a_2.csv", "a_10.csv"]


@pytest.mark.parametrize(
    ("delivered", "any_places", "no_places"),
    [
        ("12", "12.00", "12.00"),
        ("-12.5", "-12.50", None),
        ("+12.50", "12.50", None),
        ("12.00", "12.00", "12.00"),
        ("12.340", "12.34", None),
        ("12.345", None, None),
        ("1234.99", "1234.99", None),
        ("12345", None, None),
        ("0001234", "1234.00", "1234.00"),
        ("1e2", "100.00", "100.00"),
        ("12.", "12.00", "12.00"),
        (".5", "0.50", None),
        ("1,5", None, None),
        ("twelve", None, None),
    ],
)
def test_a_decimal_is_read_whole_or_not_at_all(
    spark: SparkSession, delivered: str, any_places: str | None, no_places: str | None
) -> None:
    fields = tuple(Field(name, "decimal(6,2)", "amount") for name in ("any", "none", "by_row"))
    table = replace(TABLE, grain=("any",), fields=fields)
    came = spark.createDataFrame([(delivered, 0)], "t string, places int")
    rows = typed(came, table, any="t", none="t", by_row="t", decimals={"none": 0, "by_row": F.col("places")})
    (row,) = rows.select(*(F.col(field.name).cast("string") for field in fields)).collect()
    assert tuple(row) == (any_places, no_places, no_places)


def test_a_row_keeps_what_is_carried_along(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1, "x"), ("a", 2, "y"), ("b", 3, None)], "key string, n int, other string")

    def with_most(known: DataFrame) -> DataFrame:
        assert "other" not in known.columns
        return known.withColumn("most", F.max("n").over(Window.partitionBy("key")))

    found = carried(rows, ["key", "n"], with_most)
    assert sorted(tuple(row) for row in found.select("key", "n", "most", "other").collect()) == [
        ("a", 1, 2, "x"),
        ("a", 2, 2, "y"),
        ("b", 3, 3, None),
    ]


def test_deliveries_are_told_apart_where_a_part_came_in_several(spark: SparkSession) -> None:
    came = [("o1", "1", "f_9.csv"), ("o1", "1", "f_10.csv"), ("o1", "2", "f_9.csv"), ("o2", "1", "f_9.csv")]
    rows = spark.createDataFrame(came, "whole string, part string, _source_file string")
    rows = rows.withColumn("_ingested_at", F.lit("2024-01-01").cast("timestamp"))
    whole, part = Window.partitionBy("whole"), Window.partitionBy("whole", "part")
    found = said_anew(rows, part, whole).orderBy("whole", "_delivery", "part").collect()
    assert [(row["whole"], row["part"], row["_source_file"]) for row in found] == [
        ("o1", "1", "f_9.csv"),
        ("o1", "2", "f_9.csv"),
        ("o1", "1", "f_10.csv"),
        ("o2", "1", "f_9.csv"),
    ]
    assert [row["_delivery"] is None for row in found] == [False, False, False, True]
    assert [row["_anew"] for row in found] == [found[2]["_delivery"]] * 3 + [None]
