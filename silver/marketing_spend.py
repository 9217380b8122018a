"""What marketing cost, by day, channel, campaign and country."""

from __future__ import annotations

from lakehouse.declare.rules import between, not_null
from lakehouse.declare.table import MONEY, Field, Table
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, CURRENCY, SCOPE, SHOP_ID, not_after_delivery

TABLE = Table(
    name="silver.marketing_spend",
    meaning="What a campaign cost on a day in a country, and what it reached.",
    grain=("shop_id", "spend_on", "channel", "campaign", "country_code"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("spend_on", "date", "day", rules=(not_null(), not_after_delivery())),
        Field("channel", "string", "channel", rules=(not_null(),)),
        Field("campaign", "string", "campaign", rules=(not_null(),)),
        COUNTRY,
        COUNTRY_CODE,
        CURRENCY,
        Field("spend", MONEY, "cost", "currency", rules=(not_null(), between(0))),
        Field("impressions", "bigint", "times shown", rules=(between(0),)),
        Field("clicks", "bigint", "times clicked", rules=(between(0),)),
    ),
    row_law="One row per day, channel, campaign and country; a later delivery corrects an earlier one.",
    rules=(COUNTRY_KNOWN,),
    amount="spend",
    day="spend_on",
    currency="currency",
)
