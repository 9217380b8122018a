"""Delivered text becomes typed values, and a secret stays one."""

import hmac
from hashlib import sha256

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.declare.conform import natural, natural_key, pseudonym, typed
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
    ]
    rows = typed(
        spark.createDataFrame(delivered, "n string, p string, m string"), TABLE, name="n", pieces="p", made_on="m"
    )
    found = [(row.name, row.pieces, str(row.made_on), row["_untyped"]) for row in rows.collect()]
    assert found == [
        ("a", 7, "2024-02-29", None),
        (None, None, "None", None),
        ("b", None, "None", ",pieces,made_on,"),
        ("c", None, "2024-01-01", ",pieces,"),
        ("d", None, "2024-01-01", ",pieces,"),
    ]


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
