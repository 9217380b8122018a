"""What sells best, what falls, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from serving.board import charts, words
from serving.board.blocks import Block, Choice, Figure, Page, View, section
from serving.board.scope import months_after

_SHOWN = 15
_SALES = "gold.sales_by_product"


def _sales(view: View) -> pl.DataFrame:
    """Each product's revenue in the months of the period and of that compared with; 0 where it did not sell."""
    months = {
        "m1": months_after(view.scope.period.first, 0),
        "m2": view.scope.period.last,
        "c1": months_after(view.scope.compared.first, 0),
        "c2": view.scope.compared.last,
    }
    rows = view.frame(
        "SELECT product_id, coalesce(max(name), max(product_name), product_id) AS name,"
        " coalesce(sum(net_revenue) FILTER (WHERE sold_month BETWEEN $m1 AND $m2), 0) AS revenue,"
        " coalesce(sum(net_revenue) FILTER (WHERE sold_month BETWEEN $c1 AND $c2), 0) AS compared_revenue,"
        " coalesce(sum(units) FILTER (WHERE sold_month BETWEEN $m1 AND $m2), 0) AS units,"
        " coalesce(sum(units) FILTER (WHERE sold_month BETWEEN $c1 AND $c2), 0) AS compared_units,"
        " revenue - compared_revenue AS change"
        f" FROM {_SALES} LEFT JOIN {view.names} USING (product_id)"
        " WHERE shop_id = $shop AND currency = $currency"
        " AND (sold_month BETWEEN $m1 AND $m2 OR sold_month BETWEEN $c1 AND $c2)"
        " GROUP BY product_id ORDER BY revenue DESC, product_id",
        **months,
    )
    # Names of lines are not unique either: see View.names.
    coded = pl.format("{} ({})", "name", "product_id")
    return rows.with_columns(pl.when(pl.col("name").is_duplicated()).then(coded).otherwise("name").alias("name"))


@section("Best and falling products", _SALES)
def ranking(view: View) -> Iterator[Block]:
    """The products with most revenue, and those that lost most against the period compared with."""
    rows = _sales(view)
    if rows.is_empty():
        return
    note = "Of the calendar months that the periods touch."
    meanings = view.meanings(_SALES, "units") | {
        "revenue": f"net revenue of {view.scope.period}",
        "compared_revenue": f"net revenue of {view.scope.compared}",
    }
    total, best = rows["revenue"].sum(), rows.head(_SHOWN)
    if total > 0:
        top = rows.row(0, named=True)
        yield Figure(
            "best",
            "Best products",
            f"{top['name']} sold best: {words.amount(top['revenue'], view.currency)}. The {len(best)} best of "
            f"{words.things(len(rows), 'product')} brought {words.share_of(best['revenue'].sum(), total)} of it all.",
            rows,
            charts.bars(best, "name", "revenue", f"net revenue ({view.currency})"),
            meanings=meanings,
            note=note,
        )
    fell = rows.filter(pl.col("change") < 0).sort("change", "product_id")
    if not fell.is_empty() and rows["compared_revenue"].sum() > 0:
        worst = fell.row(0, named=True)
        yield Figure(
            "falling",
            "Falling products",
            f"{worst['name']} lost most against {view.scope.compared}: {words.amount(worst['change'], view.currency)}. "
            f"{words.things(len(fell), 'product')} of {len(rows):,} brought less than then.",
            fell,
            charts.bars(fell.head(_SHOWN), "name", "change", f"change of net revenue ({view.currency})", signed=True),
            meanings=meanings,
            note=note,
        )
    rose = rows.filter(pl.col("change") > 0).sort("change", "product_id", descending=[True, False])
    if not rose.is_empty() and rows["compared_revenue"].sum() > 0:
        top = rose.row(0, named=True)
        yield Figure(
            "rising",
            "Rising products",
            f"{top['name']} gained most against {view.scope.compared}: {words.amount(top['change'], view.currency)}.",
            rose,
            charts.bars(rose.head(_SHOWN), "name", "change", f"change of net revenue ({view.currency})", signed=True),
            meanings=meanings,
            note=note,
        )


@section("Categories", _SALES, "gold.products")
def categories(view: View) -> Iterator[Block]:
    """Revenue by category."""
    listed = view.frame(
        "SELECT product_id, coalesce(category, 'none') AS category FROM gold.products WHERE shop_id = $shop"
    )
    rows = (
        _sales(view)
        .join(listed, "product_id", how="left")
        .with_columns(pl.col("category").fill_null("none"))
        .group_by("category")
        .agg(
            pl.len().alias("products"),
            pl.col("revenue").sum(),
            pl.col("compared_revenue").sum(),
            pl.col("change").sum(),
        )
        .sort("revenue", "category", descending=[True, False])
    )
    if len(rows) < 2:  # a shop without categories
        return
    top = rows.row(0, named=True)
    long = pl.concat(
        [
            rows.select("category", "revenue", period=pl.lit(str(view.scope.period))),
            rows.select("category", revenue="compared_revenue", period=pl.lit(str(view.scope.compared))),
        ]
    )
    yield Figure(
        "categories",
        "Revenue by category",
        f"{top['category']} brought most: {words.amount(top['revenue'], view.currency)}, "
        f"{words.change(top['revenue'], top['compared_revenue'], 'money')} against {view.scope.compared}.",
        rows,
        charts.bars(long, "category", "revenue", f"net revenue ({view.currency})", by="period"),
        note="Of the calendar months that the periods touch.",
    )


@section("What goes together", "gold.cart_suggestions")
def cart(view: View) -> Iterator[Block]:
    """What to suggest beside a product in the cart."""
    products = view.rows(
        "SELECT product_id, any_value(name) AS name, max(evidence) AS evidence FROM"
        " (SELECT cart_product_id AS product_id, evidence FROM gold.cart_suggestions WHERE shop_id = $shop)"
        f" LEFT JOIN {view.names} USING (product_id) GROUP BY product_id ORDER BY evidence DESC, product_id"
    )
    if not products:
        return
    options = {row["product_id"]: row["name"] or row["product_id"] for row in products}
    chosen = view.scope.choices.get("cart", products[0]["product_id"])
    chosen = chosen if chosen in options else products[0]["product_id"]
    yield Choice("cart", "Product in the cart", chosen, dict(sorted(options.items(), key=lambda each: each[1])))
    rows = view.frame(
        "SELECT rank, product_id, name, lift, evidence, reason FROM gold.cart_suggestions"
        f" LEFT JOIN {view.names} USING (product_id) WHERE shop_id = $shop AND cart_product_id = $cart ORDER BY rank",
        cart=chosen,
    )
    top = rows.row(0, named=True)
    yield Figure(
        "cart",
        f"What goes with {options[chosen]}",
        f"First comes {top['name'] or top['product_id']}: {top['reason']}.",
        rows,
        meanings=view.meanings("gold.cart_suggestions", *rows.columns),
    )


PAGE = Page(
    "products",
    "Products",
    "What sells best, what falls, and what goes together?",
    (ranking, categories, cart),
    ("cart",),
)
