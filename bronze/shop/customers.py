"""Customers of the shop: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "customer_id": "key of the customer",
    "updated_at": "when this state of the customer was recorded",
    "email": "e-mail address",
    "first_name": "given name",
    "last_name": "family name",
    "phone": "telephone number",
    "birth_date": "date of birth",
    "street": "street and number",
    "city": "town",
    "postcode": "postal code",
    "country": "country of residence",
    "registered_at": "when the account was opened",
    "acquisition_channel": "marketing channel that won the customer",
    "marketing_consent": "whether the customer agreed to marketing",
}

FEED = Feed(
    source="shop",
    name="customers",
    pattern="customers/customers_*.csv*",
    columns={name: (name,) for name in MEANINGS} | {"postcode": ("postcode", "postal_code")},
)

TABLE = feed_table(
    "bronze.shop_customers",
    "Each delivery of a customer's state by the shop, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
