"""What a shop knows at a cutoff, and nothing later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from lakehouse.errors import UsageError

EVENT_COLUMNS = ("customer_id", "product_id", "order_id", "sold_on", "quantity", "amount", "country_code")
PRODUCT_COLUMNS = ("product_id", "text")


@dataclass(frozen=True)
class History:
    """What a shop knows at a cutoff: its sales, and its products with their texts.

    `events` has a row per product sale of a known customer that still counts: customer_id, product_id, order_id,
    sold_on (date), quantity (pieces), amount (money of the shop), country_code. `returns` has those that were given
    back by then, with the day (returned_on): at an earlier cutoff they still counted. `products` has product_id and
    text (title or description, may be empty); a product that was never sold has its place there. With a column
    listed_on (date), such a product is known at earlier cutoffs too, and the ranker learns what becomes of new
    products. A column name is what reasons call a product, by default its text. A column may_be_sold says what may be
    shown now; nothing is known of what could be sold earlier.
    """

    events: pl.DataFrame
    products: pl.DataFrame
    cutoff: date
    returns: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        _require(self.events, EVENT_COLUMNS, "events")
        _require(self.products, PRODUCT_COLUMNS, "products")
        for name in ("customer_id", "product_id", "order_id", "sold_on"):
            if missing := self.events[name].null_count():
                raise UsageError(f"history: {missing} of {self.events.height} events have no {name}; leave them out")
        if late := self.events.filter(pl.col("sold_on") > self.cutoff).height:
            raise UsageError(f"history: {late} of {self.events.height} events are after its cut {self.cutoff}")
        if doubled := self.products.height - self.products["product_id"].n_unique():
            raise UsageError(f"history: {doubled} products are there twice; pass the version valid at {self.cutoff}")

    def before(self, cutoff: date) -> History:
        """What was known at an earlier cutoff: sales up to that day, and the products sold or listed by then."""
        if cutoff > self.cutoff:
            raise UsageError(f"history: known until {self.cutoff}, so nothing can be said about {cutoff}")
        events, returns = self.events.filter(pl.col("sold_on") <= cutoff), self.returns
        if returns is not None:
            sold, is_back = returns.filter(pl.col("sold_on") <= cutoff), pl.col("returned_on") <= cutoff
            events = pl.concat([events, sold.filter(~is_back).select(events.columns)])
            returns = sold.filter(is_back)
        known = pl.col("product_id").is_in(events["product_id"].unique().to_list())
        if "listed_on" in self.products.columns:
            known |= (pl.col("listed_on") <= cutoff).fill_null(False)
        products = self.products.filter(known).drop("may_be_sold", strict=False)
        return History(events, products, cutoff, returns)

    @property
    def given_back(self) -> pl.DataFrame:
        """The customer_id, product_id of which all that was bought was given back."""
        if self.returns is None:
            return pl.DataFrame(schema={"customer_id": pl.String, "product_id": pl.String})
        pairs = self.returns.select("customer_id", "product_id").unique().sort("customer_id", "product_id")
        return pairs.join(self.events, on=["customer_id", "product_id"], how="anti")


def truth(events: pl.DataFrame, cutoff: date, days: int) -> pl.DataFrame:
    """The distinct customer_id, product_id bought in the `days` days after the cutoff."""
    inside = (pl.col("sold_on") > cutoff) & (pl.col("sold_on") <= pl.lit(cutoff) + pl.duration(days=days))
    return events.filter(inside).select("customer_id", "product_id").unique().sort("customer_id", "product_id")


def _require(frame: pl.DataFrame, columns: tuple[str, ...], what: str) -> None:
    if missing := [name for name in columns if name not in frame.columns]:
        raise UsageError(f"history: {what} lack {', '.join(missing)}; they have {', '.join(frame.columns)}")
