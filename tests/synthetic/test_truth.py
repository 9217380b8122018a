"""The planted parameters act: each is recovered roughly from the written files."""

import math

import numpy as np
import polars as pl

from ml.forecast.panel.panel import Panel
from ml.forecast.uplift import by_category
from synthetic.parameters import CATEGORIES, PLANTED
from tests.synthetic.conftest import CleanShop


def total(values: pl.Series) -> float:
    return float(values.sum())


def units_by_day(clean: CleanShop) -> pl.DataFrame:
    lines = clean.feed("order_lines").with_columns(
        date=pl.col("ordered_at").str.head(10), units=pl.col("quantity").cast(pl.Int64)
    )
    return lines.group_by("date", "product_id").agg(pl.col("units").sum(), price=pl.col("unit_price").first())


def orders_by_day(clean: CleanShop) -> pl.DataFrame:
    orders = clean.feed("orders").unique("order_id").group_by(date=pl.col("ordered_at").str.head(10)).len()
    return orders.join(clean.truth("days"), on="date").sort("date")


def demand_without_promotion(clean: CleanShop) -> tuple[pl.DataFrame, pl.DataFrame]:
    """True demand by product and day with the day's total, split into days without and with a promotion."""
    demand = clean.truth("demand").with_columns(total=pl.col("demand").sum().over("date"))
    promotions = clean.truth("promotions")
    running = demand.join(promotions, on="product_id").filter(pl.col("date").is_between("starts_on", "ends_on"))
    return demand.join(running, on=["product_id", "date"], how="anti"), running


def test_weekdays_order_as_planted(clean: CleanShop) -> None:
    days = orders_by_day(clean).with_columns(weekday=pl.col("date").str.to_date().dt.weekday())
    others = pl.col("yearly") * pl.col("ads")
    recovered = days.group_by("weekday").agg((pl.col("len") / others).mean()).sort("weekday")["len"].to_numpy()
    np.testing.assert_allclose(recovered / recovered.mean(), PLANTED.weekly, atol=0.10)


def test_holidays_dampen_their_country(clean: CleanShop) -> None:
    orders = clean.feed("orders").unique("order_id").filter(country="DE")
    by_day = orders.group_by(date=pl.col("ordered_at").str.head(10)).len().join(clean.truth("days"), on="date")
    level = pl.col("len") / (pl.col("weekly") * pl.col("yearly") * pl.col("ads"))
    means = by_day.group_by(pl.col("holiday_DE") < 1).agg(level.mean()).sort("holiday_DE")["len"]
    assert means[1] / means[0] < 0.85


def test_orders_follow_the_response_to_advertising(clean: CleanShop) -> None:
    days = orders_by_day(clean)
    level = days["len"] / (days["weekly"] * days["yearly"])
    slope = np.polyfit(days["ads"].to_numpy(), level.to_numpy() / (level / days["ads"]).to_numpy().mean(), 1)[0]
    assert 0.6 < slope < 1.4


def test_promotions_lift_demand_as_planted(clean: CleanShop) -> None:
    quiet, running = demand_without_promotion(clean)
    share = quiet.group_by("product_id").agg(share=pl.col("demand").sum() / pl.col("total").sum())
    running = running.join(share, on="product_id").with_columns(base=pl.col("share") * pl.col("total"))
    recovered = total(running["demand"]) / total(running["base"])
    planted = total(running["base"] * running["uplift"]) / total(running["base"])
    assert planted > 1.3
    assert math.isclose(recovered, planted, rel_tol=0.15)


def test_dearer_products_sell_less(clean: CleanShop) -> None:
    price = units_by_day(clean).with_columns(pl.col("price").cast(pl.Float64)).select("date", "product_id", "price")
    quiet, _ = demand_without_promotion(clean)
    weeks = (
        quiet.join(price, on=["date", "product_id"])
        .group_by("product_id", "price")
        .agg(days=pl.len(), share=pl.col("demand").sum() / pl.col("total").sum())
        .filter(pl.col("days") >= 10)
        .with_columns(pl.col("price", "share").log())
        .with_columns(pl.col("price", "share") - pl.col("price", "share").mean().over("product_id"))
    )
    slope = total(weeks["price"] * weeks["share"]) / total(weeks["price"] ** 2)
    assert -3.2 < slope < -0.7


def test_elasticities_and_uplifts_are_found_by_category_within_the_error_that_is_stated(clean: CleanShop) -> None:
    day = pl.col("on").str.head(10).str.to_date()
    units = units_by_day(clean).select(on="date", series_id="product_id", y="units").with_columns(day)
    products = (
        clean.feed("products")
        .sort("updated_at")
        .select("category", series_id="product_id", on="updated_at", price=pl.col("list_price").cast(pl.Float64))
    )
    stock = clean.feed("stock_levels").select(series_id="product_id", on="counted_at", on_hand="on_hand")
    is_out = pl.col("on_hand").cast(pl.Int64).sum() == 0
    promoted = clean.truth("promotions").select(
        series_id="product_id",
        percent="discount_pct",
        on=pl.date_ranges(pl.col("starts_on").str.to_date(), pl.col("ends_on").str.to_date()),
    )
    # What is bought because of another product does not follow its own price.
    driven = clean.truth("basket_rules")["then_product_id"].implode()
    frame = (
        units.select("on")
        .unique()
        .join(units.select("series_id").unique(), how="cross")
        .join(units, on=["series_id", "on"], how="left")
        .join(
            stock.with_columns(day).group_by("series_id", "on").agg(is_out=is_out), on=["series_id", "on"], how="left"
        )
        .join(promoted.explode("on"), on=["series_id", "on"], how="left")
        .sort("on")
        .join_asof(products.with_columns(day).sort("on"), on="on", by="series_id", check_sortedness=False)
        .filter(pl.col("price").is_not_null() & ~pl.col("series_id").is_in(driven))
        .with_columns(
            y=pl.when(pl.col("is_out")).then(None).otherwise(pl.col("y").cast(pl.Float64).fill_null(0)),
            promoted=pl.col("percent").is_not_null().cast(pl.Float64),
            log_price=pl.col("price").log() + (1 - pl.col("percent").fill_null(0) / 100).log(),
        )
    )
    rows = frame.select("series_id", pl.col("on").cast(pl.Datetime("ns")), "y", "log_price", "promoted").to_pandas()
    groups = frame.select("series_id", "category").unique("series_id").to_pandas()
    found = by_category(Panel(rows, "D", ("log_price", "promoted"), groups), ("log_price", "promoted"))
    planted = dict(zip(CATEGORIES, PLANTED.elasticity, strict=True))
    bonus = float(np.log(PLANTED.promotion_bonus).mean())  # of two kinds that the panel does not tell apart
    expected = [planted[str(row.category)] if row.feature == "log_price" else bonus for row in found.itertuples()]
    assert len(found) == 2 * len(CATEGORIES)
    assert (np.abs(found["effect"] - expected) < 2.6 * found["standard_error"]).all()
    assert (found["standard_error"] < 0.3).all()


def test_baskets_follow_the_rules(clean: CleanShop) -> None:
    lines = clean.feed("order_lines")
    orders = lines["order_id"].n_unique()
    ratios = []
    for rule in clean.truth("basket_rules").iter_rows(named=True):
        first = lines.filter(product_id=rule["if_product_id"]).select("order_id")
        second = lines.filter(product_id=rule["then_product_id"]).select("order_id")
        lift = len(first.join(second, on="order_id")) * orders / (len(first) * len(second))
        ratios.append(lift / rule["lift"])
        assert lift > 1.5
    assert 0.7 < float(np.median(ratios)) < 1.4


def test_stock_censors_sales_but_not_demand(clean: CleanShop) -> None:
    truth = clean.truth("demand")
    sold = units_by_day(clean)
    joined = truth.join(sold, on=["date", "product_id"], how="left").with_columns(pl.col("units").fill_null(0))
    assert joined["units"].to_list() == joined["sold"].to_list()
    assert (truth["sold"] <= truth["demand"]).all()
    assert 0.01 < 1 - total(truth["sold"]) / total(truth["demand"]) < 0.25
    levels = clean.feed("stock_levels").select("product_id", pl.col("on_hand").cast(pl.Int64))
    assert levels["on_hand"].min() == 0
    assert levels["on_hand"].to_list() == truth["on_hand"].to_list()


def test_experiments_act_on_orders_and_baskets(clean: CleanShop) -> None:
    orders = clean.feed("orders").unique("order_id").select("order_id", "customer_id", "ordered_at")
    lines = clean.feed("order_lines").group_by("order_id").len("lines")
    exposed = clean.feed("exposures").rename({"unit_id": "customer_id"})
    after = (
        exposed.join(orders.join(lines, on="order_id"), on="customer_id")
        .filter(pl.col("ordered_at") > pl.col("exposed_at"))
        .group_by("experiment_id", "variant")
        .agg(pl.len(), pl.col("lines").mean())
        .join(exposed.group_by("experiment_id", "variant").len("units"), on=["experiment_id", "variant"])
    )
    figures = {(row["experiment_id"], row["variant"]): row for row in after.iter_rows(named=True)}

    def ratio(experiment: str, figure: str) -> float:
        treated, control = figures[experiment, "treatment"], figures[experiment, "control"]
        scale = control["units"] / treated["units"] if figure == "len" else 1.0
        return float(treated[figure] / control[figure] * scale)

    assert 1.08 < ratio("one_page_checkout", "len") < 1.35
    assert 1.05 < ratio("bundle_hint", "lines") < 1.25
    assert 0.97 < ratio("button_colour", "lines") < 1.03


def test_nobody_orders_after_churning(clean: CleanShop) -> None:
    orders = clean.feed("orders").join(clean.truth("customers"), on="customer_id")
    assert (orders["ordered_at"].str.head(10) < orders["churned_on"]).all()


def test_late_promises_are_cancelled_more_often(clean: CleanShop) -> None:
    orders = clean.feed("orders").unique("order_id").join(clean.truth("cancellations"), on="order_id", how="left")
    days = (pl.col("promised_on").str.to_date() - pl.col("ordered_at").str.head(10).str.to_date()).dt.total_days()
    rate = orders.group_by(days >= 6).agg((pl.col("cause") == "late_delivery_promise").fill_null(value=False).mean())
    late, soon = rate.sort("promised_on", descending=True)["cause"]
    assert late > 3 * soon


def test_review_texts_agree_with_stars(clean: CleanShop) -> None:
    reviews = clean.feed("reviews").join(clean.truth("reviews"), on="review_id", how="inner", validate="1:1")
    assert len(reviews) == len(clean.truth("reviews"))
    means = dict(reviews.group_by("sentiment").agg(pl.col("rating").mean()).iter_rows())
    assert means["negative"] < 2 < means["neutral"] < 4 < means["positive"]
    assert reviews["text"].str.contains("\n").any()


def test_the_money_adds_up(clean: CleanShop) -> None:
    cents = pl.col("quantity").cast(pl.Int64) * _cents("unit_price") - _cents("discount")
    lines = clean.feed("order_lines").group_by("order_id").agg(net=cents.sum())
    orders = clean.feed("orders").unique("order_id").join(lines, on="order_id", validate="1:1")
    voucher = pl.when(pl.col("voucher_code").is_null()).then(0).otherwise(500)
    total = orders.select(total=_cents("order_total"), sum=pl.col("net") + _cents("shipping_fee") - voucher)
    assert total["total"].to_list() == total["sum"].to_list()
    paid = clean.feed("payments").group_by("order_id").agg(_cents("amount").sum(), pl.col("status").sort())
    assert (paid.filter(pl.col("status").list.len() == 2)["amount"] == 0).all()


def _cents(column: str) -> pl.Expr:
    return pl.col(column).str.replace(".", "", literal=True).cast(pl.Int64)
