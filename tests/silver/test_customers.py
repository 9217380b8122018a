from collections.abc import Callable
from datetime import UTC, datetime

from pyspark.sql import DataFrame

from bronze.shop.customers import TABLE as SHOP_CUSTOMERS
from lakehouse.declare.table import Table
from silver import customers, order_lines
from silver.sources import online_retail
from silver.sources import shop as shop_source

Rows = Callable[..., DataFrame]
Broken = Callable[[Table, DataFrame], list[set[str]]]


def test_accounts_of_the_shop_are_typed_and_a_malformed_address_is_rejected(rows: Rows, broken: Broken) -> None:
    account = {"customer_id": "C1", "updated_at": "2024-03-01 10:00:00", "country": "NL", "marketing_consent": "true"}
    mails: list[str | None] = ["anna.mueller.1@example.com", None, "anna.mueller.1(at)example.com", "anna@example"]
    built = shop_source.customers(rows(SHOP_CUSTOMERS, *({**account, "email": mail} for mail in mails)))
    assert broken(customers.TABLE, built) == [set(), set(), {"email.matches"}, {"email.matches"}]
    row = built.collect()[0]
    assert (row.marketing_consent, row.country) == (True, "Netherlands")


def test_what_names_a_person_is_personal() -> None:
    personal = {field.name for field in customers.TABLE.fields if field.personal}
    assert personal == {"email", "first_name", "last_name", "phone", "birth_date", "street"}


def test_each_line_of_online_retail_says_where_its_customer_is(rows: Rows) -> None:
    at = datetime(2011, 6, 30, 22, 30, tzinfo=UTC)
    line = {"shop_id": "online_retail", "customer_id": "1", "country": "Germany", "country_code": "DE", "sold_at": at}
    (event,) = online_retail.customers(rows(order_lines.TABLE, line)).collect()
    assert (event.customer_id, event.country_code, event.updated_at) == ("1", "DE", event.sold_at)
    assert (event.email, event.registered_at, event._source_row) == (None, None, 2)
