from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from silver import countries

ONLINE_RETAIL = {
    "United Kingdom": "GB",
    "EIRE": "IE",
    "Channel Islands": "XC",
    "USA": "US",
    "RSA": "ZA",
    "Korea": "KR",
    "European Community": "EU",
    "West Indies": "XW",
    "Czech Republic": "CZ",
    "Unspecified": "ZZ",
    **{name: code for code, name in countries.NAMES.items() if code in "BH BM BR CY HK IS IL LB LT MT NG SA SG TH AE"},
}


def test_names_and_codes_stand_for_each_other() -> None:
    assert len(set(countries.NAMES.values())) == len(countries.NAMES)
    assert all(len(code) == 2 and code.isupper() for code in countries.NAMES)
    assert set(countries.ALIASES.values()) <= set(countries.NAMES)


def test_names_aliases_and_codes_are_understood(spark: SparkSession) -> None:
    texts = [*ONLINE_RETAIL, " de ", "eire", "Atlantis", "", None]
    frame = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, text string")
    told = frame.select("n", countries.code(F.col("text")).alias("code"), countries.name(F.col("text")).alias("name"))
    rows = told.orderBy("n").collect()
    assert [row.code for row in rows] == [*ONLINE_RETAIL.values(), "DE", "IE", "ZZ", "ZZ", "ZZ"]
    assert [row.name for row in rows][-5:] == ["Germany", "Ireland", "Atlantis", "Unspecified", "Unspecified"]
    assert all(row.name == countries.NAMES[row.code] for row in rows if row.name != "Atlantis")
