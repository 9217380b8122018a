"""Customers with their history: where they live and what they agreed to, and when."""

from __future__ import annotations

from lakehouse.declare.rules import matches, not_null
from lakehouse.declare.table import DELIVERY_ORDER, Field, Table
from silver.shared import COUNTRY, COUNTRY_CODE, COUNTRY_KNOWN, SCOPE, SHOP_ID, not_after_delivery

EMAIL = "^[^@ \t\r\n]+@[^@ \t\r\n]+[.][^@ \t\r\n.]+$"

TABLE = Table(
    name="silver.customers",
    meaning="A version of a customer's account.",
    grain=("shop_id", "customer_id"),
    scope=SCOPE,
    fields=(
        SHOP_ID,
        Field("customer_id", "string", "customer", rules=(not_null(),)),
        Field(
            "updated_at", "timestamp", "when the account changed (UTC)", rules=(not_null(), not_after_delivery("time"))
        ),
        Field("email", "string", "e-mail address", rules=(matches(EMAIL, "an e-mail address"),), personal=True),
        Field("first_name", "string", "first name", personal=True),
        Field("last_name", "string", "last name", personal=True),
        Field("phone", "string", "telephone number", personal=True),
        Field("birth_date", "string", "date of birth", personal=True),
        Field("street", "string", "street and number", personal=True),
        Field("city", "string", "city"),
        Field("postcode", "string", "postcode"),
        COUNTRY,
        COUNTRY_CODE,
        Field("registered_at", "timestamp", "when the account was opened (UTC); null where the feed does not say"),
        Field("acquisition_channel", "string", "channel that brought the customer"),
        Field("marketing_consent", "boolean", "whether the customer agreed to marketing; null where never asked"),
    ),
    row_law="A delivered change is an event; successive events that say the same fold into one version.",
    write="scd2",
    sequence_by=("updated_at", *DELIVERY_ORDER),
    rules=(COUNTRY_KNOWN,),
    day="updated_at",
)
