"""What to show a customer, and why."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from gold.recommend.recommendations import TASKS
from serving.board import charts, words
from serving.board.blocks import Block, Choice, Figure, Note, Page, View, section

_LISTS, _COVERAGE = "gold.recommendations", "gold.recommendation_coverage"
_MOST = 2000
"""So many customers are offered to choose from, those with most orders; any other may be named in the address."""
_SAID = {"ALL": "any product", "NEW": "what the customer never bought"}


@section("A customer's list", _LISTS)
def customer(view: View) -> Iterator[Block]:
    """The list of one customer with its reasons, beside what the customer bought before."""
    known = view.has("gold.customer_rfm")
    orders = "(SELECT customer_id, max(frequency) AS orders FROM gold.customer_rfm WHERE shop_id = $shop GROUP BY 1)"
    found = view.rows(
        "SELECT customer_id" + (", orders" if known else ", NULL AS orders") + " FROM"
        " (SELECT DISTINCT customer_id FROM gold.recommendations WHERE shop_id = $shop)"
        + (f" LEFT JOIN {orders} USING (customer_id)" if known else "")
        + f" ORDER BY orders DESC NULLS LAST, customer_id LIMIT {_MOST}"
    )
    if not found:
        return
    said = {row["customer_id"]: words.things(row["orders"], "order") if row["orders"] else "no order" for row in found}
    chosen = view.scope.choices.get("customer", found[0]["customer_id"])
    task = view.scope.choices.get("task", TASKS[0])
    task = task if task in TASKS else TASKS[0]
    yield Choice("customer", "Customer", chosen, {name: f"{name} ({told})" for name, told in said.items()})
    yield Choice("task", "Of", task, {name: _SAID[name] for name in TASKS})
    rows = view.frame(
        "SELECT rank, product_id, name, chance, reason, as_of_on, model FROM gold.recommendations"
        f" LEFT JOIN {view.names} USING (product_id)"
        " WHERE shop_id = $shop AND customer_id = $customer AND task = $task ORDER BY rank",
        customer=chosen,
        task=task,
    )
    if rows.is_empty():
        yield Note("A customer's list", f"There is no list for customer {chosen}; choose another.", "warn")
        return
    top = rows.row(0, named=True)
    yield Figure(
        "list",
        f"What to show customer {chosen}",
        f"First comes {top['name'] or top['product_id']}: {top['reason']}.",
        rows.drop("as_of_on", "model"),
        kinds={"chance": "share"},
        meanings=view.meanings(_LISTS, *rows.columns),
        note=f"As of {top['as_of_on']}, made by {top['model']}.",
    )
    if view.has("gold.interactions"):
        bought = view.frame(
            "SELECT product_id, name, orders, quantity, value, currency, CAST(last_at AS DATE) AS last_on"
            f" FROM gold.interactions LEFT JOIN {view.names} USING (product_id)"
            " WHERE shop_id = $shop AND customer_id = $customer ORDER BY last_on DESC, product_id",
            customer=chosen,
        )
        told = "This customer has bought nothing yet."
        if not bought.is_empty():
            told = f"{words.things(len(bought), 'product')} so far, the last on {bought['last_on'][0]}."
        yield Figure(
            "bought",
            "What this customer bought",
            told,
            bought,
            meanings=view.meanings("gold.interactions", *bought.columns),
        )


@section("What is recommended most", _LISTS)
def most(view: View) -> Iterator[Block]:
    """The products that stand in most lists."""
    rows = view.frame(
        "SELECT product_id, any_value(name) AS name, count(*) AS lists, avg(rank) AS mean_rank"
        f" FROM gold.recommendations LEFT JOIN {view.names} USING (product_id)"
        " WHERE shop_id = $shop AND task = 'ALL' GROUP BY product_id ORDER BY lists DESC, product_id"
    )
    if rows.is_empty():
        return
    (lists,) = view.rows(
        "SELECT count(DISTINCT customer_id) AS of FROM gold.recommendations WHERE shop_id = $shop AND task = 'ALL'"
    )
    top = rows.row(0, named=True)
    yield Figure(
        "most",
        "What is recommended most",
        f"{words.things(len(rows), 'product')} stand in the lists of {words.things(lists['of'], 'customer')}; "
        f"{top['name'] or top['product_id']} in {words.share_of(top['lists'], lists['of'])} of them.",
        rows,
        charts.bars(
            rows.head(15).with_columns(pl.coalesce("name", "product_id").alias("product")),
            "product",
            "lists",
            "customers with it in the list",
        ),
        titles={"lists": "customers with it in the list"},
    )


@section("Whole lists", _COVERAGE)
def coverage(view: View) -> Iterator[Block]:
    """How many customers have a whole list, and why others have not."""
    rows = view.frame(
        "SELECT task, CASE WHEN is_short THEN reason ELSE 'whole list' END AS list, count(*) AS customers"
        f" FROM {_COVERAGE} WHERE shop_id = $shop GROUP BY ALL ORDER BY task, customers DESC, list"
    )
    if rows.is_empty():
        return
    of_all = rows.filter(pl.col("task") == "ALL")
    whole = of_all.filter(pl.col("list") == "whole list")["customers"].sum()
    yield Figure(
        "coverage",
        "Customers with a whole list",
        f"{words.share_of(whole, of_all['customers'].sum())} of the customers have a list of ten products.",
        rows,
        kinds={},
    )


PAGE = Page(
    "recommendations",
    "Recommendations",
    "What should we show a customer, and why?",
    (customer, most, coverage),
    ("customer", "task"),
)
