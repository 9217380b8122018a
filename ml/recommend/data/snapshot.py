"""A history in numbers: integer codes, one row per customer and product, and what can be counted of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from ml.recommend.data.history import History

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
NEVER = 9999.0
"""Days since something that never happened."""
NO_COUNTRY = "??"
"""Stands for a country that is not known."""
DECAYS = (7, 15, 30, 60, 120, 240)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A history with the customers and the active products as codes; ages are days before the cutoff.

    One entry per order line (`customer`, `product`, `order`, `age`, `quantity`, `amount`); orders are numbered in time,
    `order_customer` and `order_age` describe them. Lines of products that are no longer active count for their customer
    (`distinct`) but have no code. `may_be_sold` says which products may be shown, and `given_back` (customers x
    products) has what a customer gave back altogether, which is not shown to them again.
    """

    cutoff: date
    customers: pl.Series
    products: pl.Series
    names: list[str]
    texts: list[str]
    customer: Ints
    product: Ints
    order: Ints
    age: Ints
    quantity: Floats
    amount: Floats
    order_customer: Ints
    order_age: Ints
    distinct: Floats
    country: Ints
    countries: list[str]
    may_be_sold: NDArray[np.bool_]
    given_back: sparse.csr_matrix

    @classmethod
    def of(cls, history: History, active: int) -> Snapshot:
        """Number what is in a history; active products are those sold within `active` days, and the never sold.

        The days count back from the last sale, so that a shop that is closed for a season keeps its catalogue.
        """
        lines = (
            history.events.group_by("customer_id", "product_id", "order_id")
            .agg(
                (pl.lit(history.cutoff) - pl.col("sold_on").min()).dt.total_days().alias("age"),
                pl.col("quantity").sum(),
                pl.col("amount").sum(),
                pl.col("country_code").last(),
            )
            .sort("age", "order_id", "product_id", descending=[True, False, False])
        )
        customers = lines["customer_id"].unique().sort()
        lines = lines.with_columns(_codes(lines["customer_id"], customers).alias("customer"))
        orders = lines.group_by("order_id", maintain_order=True).agg(pl.col("age").first(), pl.col("customer").first())
        lines = lines.join(orders.select("order_id").with_row_index("order"), on="order_id", how="left")
        distinct = lines.group_by("customer").agg(pl.col("product_id").n_unique().alias("n")).sort("customer")["n"]
        home = lines.group_by("customer").agg(pl.col("country_code").last().fill_null(NO_COUNTRY)).sort("customer")
        countries = home["country_code"].unique().sort()
        last = lines.group_by("product_id").agg(pl.col("age").min().alias("last"))
        closed = last["last"].min() or 0
        products = history.products
        if "may_be_sold" not in products.columns:
            products = products.with_columns(may_be_sold=pl.lit(True))
        if "name" not in products.columns:
            products = products.with_columns(name="text")
        catalogue = (
            products.select("product_id", "name", "text", "may_be_sold")
            .join(last, on="product_id", how="full", coalesce=True)
            .filter(pl.col("last").is_null() | (pl.col("last") - closed <= active))
            .sort("product_id")
        )
        lines = lines.join(catalogue.select("product_id").with_row_index("product"), on="product_id", how="inner")
        return cls(
            cutoff=history.cutoff,
            customers=customers,
            products=catalogue["product_id"],
            names=catalogue.select(pl.coalesce(pl.col("name").replace("", None), "product_id"))["name"].to_list(),
            texts=catalogue["text"].fill_null("").to_list(),
            customer=_ints(lines["customer"]),
            product=_ints(lines["product"]),
            order=_ints(lines["order"]),
            age=_ints(lines["age"]),
            quantity=lines["quantity"].cast(pl.Float32).fill_null(0).to_numpy(),
            amount=lines["amount"].cast(pl.Float32).fill_null(0).to_numpy(),
            order_customer=_ints(orders["customer"]),
            order_age=_ints(orders["age"]),
            distinct=distinct.cast(pl.Float32).to_numpy(),
            country=_ints(_codes(home["country_code"], countries)),
            countries=countries.to_list(),
            may_be_sold=catalogue["may_be_sold"].fill_null(True).to_numpy(),
            given_back=_given_back(history, customers, catalogue["product_id"]),
        )

    def unwanted(self, rows: Ints) -> NDArray[np.bool_]:
        """What must not be shown to these customers, customers x products: not sold now, or given back by them."""
        found = np.asarray(self.given_back[rows].todense())
        return found | ~self.may_be_sold[None, :]

    @property
    def shape(self) -> tuple[int, int]:
        """Customers, products."""
        return len(self.customers), len(self.products)

    @cached_property
    def pair_keys(self) -> Ints:
        """Sorted keys customer * products + product, one for each pair with a purchase."""
        return distinct(self.customer * self.shape[1] + self.product)

    @cached_property
    def line_pair(self) -> Ints:
        """For each line the position of its pair in `pair_keys`."""
        return np.searchsorted(self.pair_keys, self.customer * self.shape[1] + self.product)

    def pair_sums(self, weights: NDArray[Any]) -> Floats:
        """Sum a weight per line to the pairs of `pair_keys`."""
        return np.bincount(self.line_pair, weights, len(self.pair_keys)).astype(np.float32)

    def matrix(self, values: NDArray[Any]) -> sparse.csr_matrix:
        """A value per pair of `pair_keys` as a sparse matrix, customers x products."""
        rows, columns = np.divmod(self.pair_keys, max(self.shape[1], 1))
        return sparse.csr_matrix((values.astype(np.float32), (rows, columns)), shape=self.shape)

    @cached_property
    def counts(self) -> Floats:
        """Orders per pair."""
        return self.pair_sums(np.ones(len(self.customer)))

    @cached_property
    def bought(self) -> sparse.csr_matrix:
        """1 where the customer has bought the product, customers x products."""
        return self.matrix(np.ones(len(self.pair_keys)))

    def decayed(self, days: float) -> Floats:
        """Orders per pair, each weighing exp(-age / days)."""
        return self.pair_sums(np.exp(-self.age / days))

    @cached_property
    def last_age(self) -> Floats:
        """Days since the pair's last order."""
        last = np.full(len(self.pair_keys), NEVER, np.float32)
        np.minimum.at(last, self.line_pair, self.age.astype(np.float32))
        return last

    @cached_property
    def first_age(self) -> Floats:
        """Days since the pair's first order."""
        first = np.zeros(len(self.pair_keys), np.float32)
        np.maximum.at(first, self.line_pair, self.age.astype(np.float32))
        return first

    @cached_property
    def orders_back(self) -> Ints:
        """For each line how many of its customer's orders came after its order."""
        order_rank = np.empty(len(self.order_customer), np.int64)
        by_customer = np.lexsort((-np.arange(len(self.order_customer)), self.order_customer))
        sizes = np.bincount(self.order_customer, minlength=self.shape[0])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        order_rank[by_customer] = np.arange(len(by_customer)) - np.repeat(starts, sizes)
        return order_rank[self.order]

    def buyers(self, from_age: int, to_age: int) -> Floats:
        """Per product the distinct customers who bought it at an age in [from_age, to_age)."""
        inside = (self.age >= from_age) & (self.age < to_age)
        keys = distinct(self.line_pair[inside])
        return self.by_product(self.pair_keys[keys])

    @cached_property
    def buyers_ever(self) -> Floats:
        """Per product the distinct customers who ever bought it."""
        return self.by_product(self.pair_keys)

    def by_product(self, keys: Ints) -> Floats:
        """How many of these pair keys each product has."""
        return np.bincount(keys % max(self.shape[1], 1), minlength=self.shape[1]).astype(np.float32)

    def rows_of(self, customers: pl.Series) -> Ints:
        """The code of each customer, -1 for who is unknown here."""
        return _ints(_codes(customers, self.customers, strict=False))

    def columns_of(self, products: pl.Series) -> Ints:
        """The code of each product, -1 for what is not in the catalogue."""
        return _ints(_codes(products, self.products, strict=False))


def distinct(values: Ints) -> Ints:
    """The different values, sorted, as `np.unique`, whose hashing takes 80 times as long on keys of pairs."""
    ordered = np.sort(values)
    found: Ints = ordered[np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]]
    return found


def _given_back(history: History, customers: pl.Series, products: pl.Series) -> sparse.csr_matrix:
    """True where all that a customer bought of a product was given back, customers x products."""
    back = history.given_back
    rows = _ints(_codes(back["customer_id"], customers, strict=False))
    columns = _ints(_codes(back["product_id"], products, strict=False))
    known = (rows >= 0) & (columns >= 0)
    pairs = (rows[known], columns[known])
    return sparse.csr_matrix((np.ones(known.sum(), bool), pairs), shape=(len(customers), len(products)))


def _codes(values: pl.Series, names: pl.Series, strict: bool = True) -> pl.Series:
    """The position of each value in the sorted names; -1 (or an error, when strict) where it is not among them."""
    return values.replace_strict(names, pl.Series(range(len(names)), dtype=pl.Int64), default=None if strict else -1)


def _ints(series: pl.Series) -> Ints:
    return series.cast(pl.Int64).to_numpy()
