"""Invoice lines of the Online Retail data set: CSV files as delivered."""

from lakehouse.declare.table import Step
from lakehouse.intake.feeds import Feed, as_delivered, feed_table

MEANINGS = {
    "invoice": "number of the invoice; a leading C cancels",
    "stock_code": "product, or a code for postage and the like",
    "description": "name of the product",
    "quantity": "pieces; negative for a return",
    "invoice_date": "when the invoice was written, by the shop's clock",
    "price": "price of one piece in pounds sterling",
    "customer_id": "customer; empty where unknown",
    "country": "country of the customer",
}

FEED = Feed(
    source="online_retail",
    name="lines",
    pattern="online_retail_*.csv*",
    columns={
        "invoice": ("Invoice", "InvoiceNo"),
        "stock_code": ("StockCode",),
        "description": ("Description",),
        "quantity": ("Quantity",),
        "invoice_date": ("InvoiceDate",),
        "price": ("Price", "UnitPrice"),
        "customer_id": ("Customer ID", "CustomerID"),
        "country": ("Country",),
    },
)

TABLE = feed_table(
    "bronze.online_retail",
    "One line of an invoice of a British gift wholesaler, as delivered.",
    FEED,
    MEANINGS,
)

STEP = Step(TABLE, build=as_delivered, feed=FEED, source=FEED.source)
