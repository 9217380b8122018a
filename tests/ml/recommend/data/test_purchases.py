"""What was given back is no interest, from the day it came back and not before."""

from __future__ import annotations

from datetime import date

import polars as pl

from ml.recommend.data.history import EVENT_COLUMNS, History
from ml.recommend.data.purchases import netted

JAN = [date(2024, 1, day) for day in range(1, 32)]


def sales(*rows: tuple[str, str, str, int, float]) -> pl.DataFrame:
    """Customer, product, order, day of January, pieces; a piece costs 10."""
    found = [(c, p, o, JAN[day - 1], pieces, 10 * pieces, "DE") for c, p, o, day, pieces in rows]
    return pl.DataFrame(found, schema=list(EVENT_COLUMNS), orient="row").cast(
        {"quantity": pl.Float64, "amount": pl.Float64}
    )


def returns(*rows: tuple[str | None, str, str, int, float]) -> pl.DataFrame:
    names = ["customer_id", "product_id", "order_id", "returned_on", "quantity"]
    found = [(c, p, o, JAN[day - 1], float(pieces)) for c, p, o, day, pieces in rows]
    kinds = [pl.String, pl.String, pl.String, pl.Date, pl.Float64]
    return pl.DataFrame(found, schema=dict(zip(names, kinds, strict=True)), orient="row")


def kept(sold: pl.DataFrame, back: pl.DataFrame) -> list[tuple[str, float, float]]:
    return list(netted(sold, back)[0].select("order_id", "quantity", "amount").iter_rows())


def test_a_line_that_came_back_in_its_own_order_is_gone() -> None:
    sold = sales(("ann", "mug", "o1", 1, 2), ("ann", "mug", "o2", 3, 2))
    assert kept(sold, returns(("ann", "mug", "o1", 9, 2))) == [("o2", 2, 20)]
    assert kept(sold, returns((None, "mug", "o1", 9, 2))) == [("o2", 2, 20)]  # a credit note without its customer


def test_pieces_of_a_credit_note_of_its_own_come_from_the_latest_purchases_before_it() -> None:
    sold = sales(("ann", "mug", "o1", 1, 2), ("ann", "mug", "o2", 3, 2), ("ann", "mug", "o3", 20, 2))
    assert kept(sold, returns(("ann", "mug", "c1", 9, 3))) == [("o1", 1, 10), ("o3", 2, 20)]


def test_a_return_takes_nothing_from_others_and_none_that_came_later() -> None:
    sold = sales(("ben", "mug", "o1", 1, 2), ("ann", "cup", "o2", 1, 2), ("ann", "mug", "o3", 5, 2))
    assert len(kept(sold, returns(("ann", "mug", "c1", 3, 2)))) == 3


def test_a_part_that_came_back_leaves_the_rest_and_what_it_cost() -> None:
    sold = sales(("ann", "mug", "o1", 1, 4))
    rest, back = netted(sold, returns(("ann", "mug", "c1", 3, 1), ("ann", "mug", "c2", 5, 2)))
    assert rest.select("quantity", "amount").rows() == [(1, 10)]
    assert back.select("quantity", "amount", "returned_on").rows() == [(1, 10, JAN[2]), (2, 20, JAN[4])]


def test_more_than_was_sold_comes_back_only_once() -> None:
    rest, back = netted(sales(("ann", "mug", "o1", 1, 4)), returns(("ann", "mug", "c1", 3, 9)))
    assert rest.height == 0
    assert back["quantity"].to_list() == [4]


def test_before_it_came_back_it_counted() -> None:
    sold = sales(("ann", "mug", "o1", 1, 2), ("ann", "cup", "o2", 2, 1), ("ben", "mug", "o3", 2, 1))
    rest, back = netted(sold, returns(("ann", "mug", "c1", 9, 2)))
    history = History(rest, pl.DataFrame({"product_id": ["cup", "mug"], "text": ["", ""]}), JAN[19], back)
    assert history.given_back.rows() == [("ann", "mug")]
    then = history.before(JAN[4])
    assert sorted(then.events["order_id"]) == ["o1", "o2", "o3"]
    assert then.given_back.height == 0
    assert sorted(history.before(JAN[9]).events["order_id"]) == ["o2", "o3"]
    assert history.before(JAN[9]).given_back.rows() == [("ann", "mug")]
    assert history.before(JAN[9]).before(JAN[4]).events.equals(then.events)
