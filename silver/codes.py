"""How Online Retail writes: what its stock codes stand for (goods, postage, fees), its texts and its clock."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from lakehouse.declare import conform

SHOP = "online_retail"
_TIMEZONE = "Europe/London"

IS_TEST_CODE = "upper(trim(stock_code)) IN ('TEST001', 'TEST002')"
"""SQL over bronze.online_retail: the shop's people tried out their tills."""

IS_SALE = (
    "coalesce(NOT startswith(trim(invoice), 'C') AND try_cast(trim(quantity) AS INT) > 0"
    " AND try_cast(trim(price) AS DECIMAL(18,4)) > 0, false)"
)
"""SQL over bronze.online_retail: goods went out for money."""

_CODES = {
    "shipping": ("POST", "DOT", "C2", "C3", "23444"),  # 23444 is "Next Day Carriage"
    "adjustment": ("M", "ADJUST", "ADJUST2", "B"),
    "discount": ("D",),
    "sample": ("S",),
    "fee": ("BANK CHARGES", "AMAZONFEE"),
    "donation": ("CRUK",),
    "voucher": ("GIFT", "22016"),  # 22016 is "Gift Voucher £100.00"
}


def utc(local: Column) -> Column:
    """The shop's wall clock, as UTC."""
    return conform.utc(local, _TIMEZONE)


def product_code(stock_code: Column) -> Column:
    """The code in capitals: tills spelt the same product `85123a` and `85123A`."""
    return F.nullif(F.upper(F.trim(stock_code)), F.lit(""))


def item_type(product_id: Column) -> Column:
    """Kind of what a code in capitals stands for; every code that is not special is a product."""
    kind = F.when(product_id.startswith("GIFT_"), "voucher")
    for name, codes in _CODES.items():
        kind = kind.when(product_id.isin(list(codes)), name)
    return kind.otherwise("product")


def line_text(description: Column) -> Column:
    """The description of a line; some pound signs were delivered as UTF-8 that had been read as Latin-1."""
    return F.replace(F.trim(description), F.lit("Â£"), F.lit("£"))
