"""How each feed lies on disk: format, columns before and after the half-way change, and row order in a file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """One feed's file layout; `changed_columns` are the columns from the half-way change on, where they differ."""

    format: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    changed_columns: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def columns_at(self, changed: bool) -> tuple[str, ...]:
        """The columns of a file written before (False) or after (True) the change."""
        return self.changed_columns if changed and self.changed_columns else self.columns


def _columns(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


_CUSTOMER = (
    "customer_id, updated_at, email, first_name, last_name, phone, birth_date, street, city, {}, country,"
    " registered_at, acquisition_channel, marketing_consent"
)

FEEDS: dict[str, Layout] = {
    "orders": Layout(
        "csv",
        _columns(
            "order_id, updated_at, ordered_at, customer_id, session_id, country, channel, currency, status,"
            " cancel_reason, promised_on, shipped_at, delivered_at, items_total, discount_total, shipping_fee,"
            " order_total, voucher_code"
        ),
        ("updated_at", "order_id"),
    ),
    "order_lines": Layout(
        "csv",
        _columns(
            "order_id, line_no, ordered_at, customer_id, country, product_id, quantity, unit_price, discount,"
            " currency, promotion_id"
        ),
        (),
        changed_columns=_columns(
            "order_id, line_no, product_id, quantity, unit_price, discount, currency, ordered_at, customer_id,"
            " country, warehouse, promotion_id"
        ),
    ),
    "payments": Layout(
        "csv", _columns("payment_id, order_id, paid_at, method, amount, currency, status"), ("paid_at", "payment_id")
    ),
    "customers": Layout(
        "csv",
        _columns(_CUSTOMER.format("postcode")),
        ("customer_id",),
        changed_columns=_columns(_CUSTOMER.format("postal_code")),
        renamed=(("postcode", "postal_code"),),
    ),
    "products": Layout(
        "json",
        _columns(
            "product_id, updated_at, name, description, category, subcategory, brand, color, material, list_price,"
            " unit_cost, supplier_id, listed_on, is_active"
        ),
        ("product_id",),
    ),
    "page_events": Layout(
        "json",
        _columns(
            "event_id, session_id, visitor_id, customer_id, event_at, event_type, product_id, search_query, order_id,"
            " page_url, referrer, device, country, utm_source, utm_campaign"
        ),
        ("event_at", "event_id"),
    ),
    "stock_levels": Layout(
        "csv",
        _columns("product_id, counted_at, warehouse, on_hand, on_order, supplier_id, lead_time_days, unit_cost"),
        (),
    ),
    "reviews": Layout(
        "json",
        _columns("review_id, order_id, product_id, customer_id, rating, title, text, reviewed_at"),
        ("reviewed_at", "review_id"),
    ),
    "promotions": Layout(
        "csv",
        _columns("promotion_id, product_id, name, kind, discount_pct, starts_on, ends_on, updated_at"),
        ("promotion_id",),
    ),
    "marketing_spend": Layout(
        "csv", _columns("spend_on, channel, campaign, country, currency, spend, impressions, clicks"), ()
    ),
    "exposures": Layout(
        "csv", _columns("experiment_id, unit_id, variant, exposed_at"), ("exposed_at", "experiment_id", "unit_id")
    ),
}
"""Every feed of the shop, in the order in which it is written."""
