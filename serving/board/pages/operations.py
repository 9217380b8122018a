"""What is on the shelves, what to order from whom, what comes back, and how orders arrive."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from gold.demand.inventory_plan import ALERTS
from gold.kpis import named
from serving import kpis
from serving.board import charts, words
from serving.board.blocks import Block, Figure, Page, Tile, Tiles, View, section

_PLAN, _STOCK, _ORDERS = "gold.inventory_plan", "gold.stock_position", "silver.orders"
_SHOWN = 15


@section("Stock", _STOCK)
def stock(view: View) -> Iterator[Block]:
    """What is on hand, and which products run out before a new delivery can come."""
    rows = view.frame(
        "SELECT product_id, name, on_hand, on_order, mean_daily_demand, days_of_cover, lead_time_days,"
        " is_at_risk, stock_value, s.currency, counted_on FROM gold.stock_position AS s"
        f" LEFT JOIN {view.names} USING (product_id) WHERE shop_id = $shop"
        " ORDER BY is_at_risk DESC NULLS LAST, days_of_cover NULLS LAST, product_id"
    )
    if rows.is_empty():
        return
    at_risk = rows.filter(pl.col("is_at_risk"))
    empty = rows.filter(pl.col("on_hand") == 0)
    value = rows["stock_value"].sum()
    unknown = rows["stock_value"].null_count()
    currency = rows["currency"].drop_nulls().unique().to_list()
    yield Tiles(
        (
            Tile("Products in stock", words.count(len(rows) - len(empty)), (f"of {len(rows):,} that are counted",)),
            Tile(
                "Sold out",
                words.count(len(empty)),
                (f"last count {words.cell(rows['counted_on'].max())}",),
                "bad" if len(empty) else "",
                "nothing on hand by the last count",
            ),
            Tile(
                "Run out before a delivery",
                words.count(len(at_risk)),
                ("stock lasts shorter than the lead time",),
                "bad" if len(at_risk) else "",
                view.meanings(_STOCK, "is_at_risk")["is_at_risk"],
            ),
            Tile(
                "Worth of the stock",
                words.amount(value, currency[0] if len(currency) == 1 else None),
                (f"cost of {words.things(unknown, 'product')} is not known",) if unknown else ("at unit cost",),
            ),
        )
    )
    known = at_risk.filter((pl.col("days_of_cover") > 0) & (pl.col("on_hand") > 0))
    first = known.row(0, named=True) if len(known) else None
    told = f"{words.things(len(known), 'product')} will run out before an order placed now arrives"
    told += f"; {len(empty):,} are sold out."
    if first:
        told += f" Next: {first['name'] or first['product_id']}, in {first['days_of_cover']:,.1f} days."
    shown = known.head(_SHOWN).with_columns(pl.coalesce("name", "product_id").alias("product"))
    yield Figure(
        "out_of_stock",
        "What runs out first",
        told,
        rows,
        charts.bars(shown, "product", "days_of_cover", "days that the stock lasts") if first else None,
        meanings=view.meanings(_STOCK, *rows.columns),
    )


@section("What to do", _PLAN)
def alerts(view: View) -> Iterator[Block]:
    """How many products are in each state of the order plan."""
    rows = view.frame(
        "SELECT alert, count(*) AS products, sum(order_quantity) AS order_quantity, max(as_of_on) AS as_of_on"
        " FROM gold.inventory_plan WHERE shop_id = $shop GROUP BY alert"
    )
    if rows.is_empty():
        return
    rows = rows.sort(pl.col("alert").cast(pl.Enum(ALERTS)))
    now = next(iter(rows.filter(pl.col("alert") == "order now")["products"]), 0)
    yield Figure(
        "alerts",
        "What the order plan says",
        f"{words.things(now, 'product')} should be ordered now, as of {words.cell(rows['as_of_on'].max())}.",
        rows,
        charts.bars(rows, "alert", "products", "products"),
        meanings=view.meanings(_PLAN, "alert", "order_quantity", "as_of_on"),
    )


@section("Order proposals", _PLAN)
def proposals(view: View) -> Iterator[Block]:
    """What to order from whom, and what it costs."""
    rows = view.frame(
        "SELECT coalesce(supplier_id, 'supplier not known') AS supplier, product_id, name, order_quantity,"
        " unit_cost, order_value AS cost, currency, on_hand, on_order, reorder_point, stockout_risk, alert"
        f" FROM gold.inventory_plan LEFT JOIN {view.names} USING (product_id)"
        " WHERE shop_id = $shop AND order_quantity > 0 ORDER BY cost DESC NULLS LAST, product_id"
    )
    if rows.is_empty():
        yield Figure("orders", "What to order", "Nothing needs to be ordered now.", rows)
        return
    currency = rows["currency"].drop_nulls().unique().to_list()
    suppliers = (
        rows.group_by("supplier")
        .agg(
            pl.len().alias("products"),
            pl.col("order_quantity").sum(),
            pl.col("cost").sum(),
            pl.col("cost").null_count().alias("without_cost"),
        )
        .sort("cost", "supplier", descending=[True, False])
    )
    total, unknown = rows["cost"].sum(), rows["cost"].null_count()
    unit = currency[0] if len(currency) == 1 else None
    told = (
        f"Ordering what is needed costs {words.amount(total, unit)} from {words.things(len(suppliers), 'supplier')}; "
        f"most goes to {suppliers['supplier'][0]}: {words.amount(suppliers['cost'][0], unit)}."
    )
    if unknown == len(rows):
        told = f"{words.things(unknown, 'product')} should be ordered; what that costs is not known."
    elif unknown:
        told += f" The cost of {words.things(unknown, 'product')} is not known and not in it."
    yield Figure(
        "orders_by_supplier",
        "What to order, by supplier",
        told,
        suppliers,
        charts.bars(suppliers.head(_SHOWN), "supplier", "cost", f"cost of the orders ({unit or 'currency of the row'})")
        if unknown < len(rows)
        else None,
    )
    yield Figure(
        "orders",
        "What to order, by product",
        f"{words.things(len(rows), 'product')} should be ordered, {words.count(rows['order_quantity'].sum())} pieces.",
        rows,
        kinds={"stockout_risk": "share"},
        meanings=view.meanings(_PLAN, *rows.columns),
    )


@section("Returns", "gold.returns")
def returns(view: View) -> Iterator[Block]:
    """What came back of the sales of the period's months, and why."""
    rows = view.frame(
        "SELECT outcome, reason, -sum(cancelled_amount) AS taken_off, sum(lines) AS lines, count(DISTINCT product_id)"
        " AS products FROM gold.returns WHERE shop_id = $shop AND currency = $currency AND outcome <> 'kept'"
        " AND sold_month BETWEEN date_trunc('month', CAST($first AS DATE)) AND $last"
        " GROUP BY outcome, reason ORDER BY taken_off DESC, outcome, reason"
    )
    if rows.is_empty():
        return
    total = rows["taken_off"].sum()
    top = rows.row(0, named=True)
    yield Figure(
        "returns",
        "What came back, and why",
        f"{words.amount(total, view.currency)} were taken off again; most, "
        f"{words.amount(top['taken_off'], view.currency)}, was {top['outcome']} (reason: {top['reason']}).",
        rows,
        charts.bars(
            rows.with_columns((pl.col("outcome") + ": " + pl.col("reason")).alias("why")).head(_SHOWN),
            "why",
            "taken_off",
            f"taken off ({view.currency})",
        ),
        meanings=view.meanings("gold.returns", "outcome", "reason"),
        note="Of the calendar months that the period touches.",
    )


@section("Returned value over time", "gold.sales_by_order")
def return_rate(view: View) -> Iterator[Block]:
    """The share of sales that was taken off, month by month."""
    sales = view.scope.shop.sales
    if sales is None:
        return
    kpi = named("return_rate")
    shop = view.scope.shop.shop
    rows = kpis.series(view.reader, kpi, "month", shop, view.currency, sales.first, sales.last)
    known = rows.filter(pl.col("value").is_not_null())
    if known.is_empty():
        return
    last = known.row(-1, named=True)
    yield Figure(
        "return_rate",
        "Returned value by month",
        f"In {last['period_on']:%B %Y} {words.share(last['value'])} of gross sales was taken off; "
        f"the mean of all months is {words.share_of(known['value'].sum(), len(known))}.",
        rows,
        charts.lines(known.with_columns(pl.col("value") * 100), "period_on", "value", "% of gross sales"),
        kinds={"value": "share"},
        meanings={"value": kpi.meaning},
    )


@section("Delivery", _ORDERS)
def delivery(view: View) -> Iterator[Block]:
    """How long orders of the period took, and how many came when they were promised."""
    rows = view.frame(
        "SELECT CAST(date_trunc('week', ordered_on) AS DATE) AS week_on, count(*) AS orders,"
        " count(delivered_at) AS delivered,"
        " avg(date_diff('hour', ordered_at, delivered_at)) / 24 AS mean_days,"
        " count(*) FILTER (WHERE CAST(delivered_at AS DATE) <= promised_on) AS in_time,"
        " count(*) FILTER (WHERE delivered_at IS NOT NULL AND promised_on IS NOT NULL) AS promised"
        " FROM silver.orders WHERE shop_id = $shop AND currency = $currency AND ordered_on BETWEEN $first AND $last"
        " GROUP BY 1 HAVING count(delivered_at) > 0 ORDER BY 1"
    )
    if rows.is_empty():
        return
    delivered, promised = int(rows["delivered"].sum()), rows["promised"].sum()
    mean = float((rows["mean_days"] * rows["delivered"]).sum()) / delivered
    told = f"{words.things(delivered, 'order')} of {rows['orders'].sum():,} arrived, after {mean:.1f} days on average"
    told += (
        f"; {words.share_of(rows['in_time'].sum(), promised)} came by the day that was promised." if promised else "."
    )
    yield Figure(
        "delivery",
        "How long delivery takes",
        told,
        rows,
        charts.lines(rows, "week_on", "mean_days", "days from order to delivery"),
        titles={"week_on": "week of the order", "in_time": "by the day promised", "promised": "with a day promised"},
        note="By UTC days.",
    )


PAGE = Page(
    "operations",
    "Operations",
    "What runs out, what should be ordered from whom, and what comes back?",
    (stock, alerts, proposals, returns, return_rate, delivery),
)
