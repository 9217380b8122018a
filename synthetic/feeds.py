"""One function a feed: a chunk of the shop's life as that feed's rows.

Each gives the feed's columns as they stand in the files, and three columns for the writer: `_day`, the day in whose
file the row belongs (it may lie beyond the chunk); `_spoilable`, whether dirt may hit the row; `_cents`, the row's
amount, where the feed has one. The first row of an order, product or customer is never spoilable, so that rows that
refer to it are judged by their own defect only.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from synthetic.base import DAY_SECONDS, Ints
from synthetic.catalog import PROMOTION_KINDS
from synthetic.columns import (
    date_of,
    day_of,
    decimal_text,
    euros,
    identity,
    named,
    order_id,
    review_id,
    session_id,
    text,
    timestamp,
)
from synthetic.demand import Chunk
from synthetic.parameters import AD_CHANNELS, CAMPAIGNS, CAUSES, COUNTRIES, EXPERIMENTS, METHODS
from synthetic.people import CUSTOMER_WIDTH
from synthetic.reviews import draw_reviews
from synthetic.sessions import draw_events
from synthetic.stock import WAREHOUSES
from synthetic.world import World

FeedFunction = Callable[[World, Chunk], pl.DataFrame]
VOUCHERS = ("WELCOME5", "SEASON5", "SORRY5")
CHANNELS = ("web", "app", "phone")
DAY_END = DAY_SECONDS - 300


def orders(world: World, chunk: Chunk) -> pl.DataFrame:
    """New orders, and a full row again at each change of their status."""
    reason = pl.when("reason_missing").then(None).otherwise(named(CAUSES, "cause"))
    shown = {
        "placed": ("ordered_at", pl.col("cancelled_at") != pl.col("ordered_at"), 0),
        "cancelled": ("cancelled_at", pl.col("cancelled_at") >= 0, 0),
        "shipped": ("shipped_at", pl.col("shipped_at") >= 0, 1),
        "delivered": ("delivered_at", pl.col("delivered_at") >= 0, 2),
        "returned": ("returned_at", pl.col("returned_at") >= 0, 2),
    }
    versions = [
        chunk.orders.filter(condition).with_columns(
            status=pl.lit(status),
            updated=pl.col(at),
            reason=reason if status == "cancelled" else pl.lit(None, pl.String),
            shipped=pl.when(reached >= 1).then("shipped_at"),
            delivered=pl.when(reached >= 2).then("delivered_at"),
        )
        for status, (at, condition, reached) in shown.items()
    ]
    total = pl.col("items_total") - pl.col("discount_total") + pl.col("shipping_fee")
    return pl.concat(versions).select(
        order_id=order_id(),
        updated_at=timestamp("updated"),
        ordered_at=timestamp("ordered_at"),
        customer_id=identity("C", pl.col("customer") + 1, CUSTOMER_WIDTH),
        session_id=session_id(2 * pl.col("number")),
        country=named(COUNTRIES, "country"),
        channel=named(CHANNELS, "channel"),
        currency=pl.lit("EUR"),
        status="status",
        cancel_reason="reason",
        promised_on=date_of(world.options, "promised_day"),
        shipped_at=timestamp("shipped"),
        delivered_at=timestamp("delivered"),
        items_total=euros("items_total"),
        discount_total=euros("discount_total"),
        shipping_fee=euros("shipping_fee"),
        order_total=total / 100,
        voucher_code=pl.when(pl.col("voucher") > 0).then(named(VOUCHERS, "voucher_kind")),
        _day=day_of(world.options, "updated"),
        _spoilable=pl.col("updated") > pl.col("ordered_at"),
    )


def order_lines(world: World, chunk: Chunk) -> pl.DataFrame:
    """The lines of the new orders."""
    people, catalog = world.people, world.catalog
    lines = chunk.lines
    promotion = pl.when(pl.col("promotion") >= 0).then(identity("PR", pl.col("promotion") + 1, 5))
    return lines.select(
        order_id=order_id(),
        line_no="line_no",
        ordered_at=timestamp("ordered_at"),
        customer_id=people.ids.gather(lines["customer"]),
        country=pl.Series(COUNTRIES).gather(people.country[lines["customer"].to_numpy()]),
        product_id=catalog.ids.gather(lines["product"]),
        quantity="quantity",
        unit_price=euros("unit_price"),
        discount=euros("discount"),
        currency=pl.lit("EUR"),
        promotion_id=promotion,
        warehouse=named(WAREHOUSES, pl.col("product") % len(WAREHOUSES)),
        _day="day",
        _spoilable=pl.lit(value=True),
        _cents=pl.col("quantity") * pl.col("unit_price") - pl.col("discount"),
    )


def payments(world: World, chunk: Chunk) -> pl.DataFrame:
    """A capture for each order whose payment worked, and a refund at its cancellation or return."""
    total = pl.col("items_total") - pl.col("discount_total") + pl.col("shipping_fee")
    paid = chunk.orders.filter(pl.col("cause") != CAUSES.index("payment_failed"))
    captured = paid.with_columns(cents=total, at=pl.col("ordered_at") + 20, part=pl.lit(1), status=pl.lit("captured"))
    refund_at = pl.max_horizontal("cancelled_at", "returned_at") + 900
    refunded = paid.filter(pl.max_horizontal("cancelled_at", "returned_at") >= 0).with_columns(
        cents=-total, at=refund_at, part=pl.lit(2), status=pl.lit("refunded")
    )
    return pl.concat([captured, refunded]).select(
        payment_id=text("PAY{}-{}", pl.col("number").cast(pl.String).str.zfill(9), "part"),
        order_id=order_id(),
        paid_at=timestamp("at"),
        method=named(METHODS, "method"),
        amount=euros("cents"),
        currency=pl.lit("EUR"),
        status="status",
        _day=day_of(world.options, "at"),
        _spoilable=pl.lit(value=True),
        _cents="cents",
    )


def customers(world: World, chunk: Chunk) -> pl.DataFrame:
    """Every customer of the first day, later registrations, and a full row at each change."""
    everyone = world.people.versions
    at = world.options.epoch + pl.col("day") * DAY_SECONDS + pl.col("second")
    registration = everyone.filter(~pl.col("is_update")).select("customer", since=at)
    versions = everyone.filter(_in_chunk(chunk)).join(registration, on="customer", how="left", maintain_order="left")
    return versions.with_columns(updated=at).select(
        customer_id=world.people.ids.gather(versions["customer"]),
        updated_at=timestamp("updated"),
        email="email",
        first_name="first_name",
        last_name="last_name",
        phone="phone",
        birth_date=pl.col("birth_date").dt.strftime("%Y-%m-%d"),
        street="street",
        city="city",
        postcode="postcode",
        country="country",
        registered_at=timestamp("since"),
        acquisition_channel="acquisition_channel",
        marketing_consent=pl.when("consent").then(pl.lit("true")).otherwise(pl.lit("false")),
        _day=pl.max_horizontal("day", 0),
        _spoilable="is_update",
    )


def products(world: World, chunk: Chunk) -> pl.DataFrame:
    """Every listed product on the first day, later listings, and a full row at each change of price, text, listing."""
    states = _product_days(world, chunk)
    catalog, product, day = world.catalog, states["product"], states["day"].to_numpy()
    place = product.to_numpy()
    price = catalog.price[np.maximum(0, day), place].astype(np.int64)
    described = pl.when(pl.col("rewrites") % 2 == 1).then(pl.lit("Now even better: ")).otherwise(pl.lit(""))
    listed = pl.Series(catalog.listed[place])
    return (
        states.hstack(catalog.texts[place])
        .with_columns(
            price=pl.Series(price), cost=pl.Series(catalog.cost[place]), delisted=pl.Series(catalog.delisted[place])
        )
        .select(
            product_id=catalog.ids.gather(product),
            updated_at=timestamp(world.options.epoch + pl.col("day") * DAY_SECONDS + 120),
            name=text("{} {} {}", "brand", "color", "subcategory"),
            description=pl.concat_str(
                described,
                text("{} {} made of {}, for {}. Edition {}.", "brand", "subcategory", "material", "use", "rewrites"),
            ),
            category="category",
            subcategory="subcategory",
            brand="brand",
            color="color",
            material="material",
            list_price=decimal_text("price"),
            unit_cost=decimal_text("cost"),
            supplier_id=identity("S", pl.Series(catalog.supplier[place]) + 1, 3),
            listed_on=date_of(world.options, listed),
            is_active=pl.col("day") < pl.col("delisted"),
            _day=pl.max_horizontal("day", 0),
            _spoilable=pl.col("day") > listed,
        )
    )


def page_events(world: World, chunk: Chunk) -> pl.DataFrame:
    """The clicks of the tracked sessions, with and without an order."""
    events = draw_events(world, chunk)
    shop = "https://shop.example"
    url = (
        pl.when(pl.col("event_type").is_in(["view", "add_to_cart", "remove_from_cart"]))
        .then(pl.concat_str(pl.lit(f"{shop}/p/"), "product_id"))
        .when(pl.col("event_type") == "search")
        .then(pl.concat_str(pl.lit(f"{shop}/search?q="), pl.col("search_query").str.replace_all(" ", "+")))
        .otherwise(pl.lit(f"{shop}/checkout"))
    )
    return events.select(
        event_id=text("{}-{}", session_id("session"), pl.col("position").cast(pl.String).str.zfill(3)),
        session_id=session_id("session"),
        visitor_id=identity("V", "visitor", 8),
        customer_id=pl.when(pl.col("customer") >= 0).then(identity("C", pl.col("customer") + 1, CUSTOMER_WIDTH)),
        event_at=timestamp("at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        event_type="event_type",
        product_id="product_id",
        search_query="search_query",
        order_id=pl.when(pl.col("event_type") == "purchase").then(order_id()),
        page_url=url,
        referrer="referrer",
        device="device",
        country=named(COUNTRIES, "country"),
        utm_source="utm_source",
        utm_campaign="utm_campaign",
        _day=day_of(world.options, "at"),
        _spoilable=pl.lit(value=True),
    )


def stock_levels(world: World, chunk: Chunk) -> pl.DataFrame:
    """What lies in the warehouse at the end of the day, for each active product."""
    catalog, product = world.catalog, chunk.stock["product"]
    place = product.to_numpy()
    return chunk.stock.select(
        product_id=catalog.ids.gather(product),
        counted_at=timestamp(world.options.epoch + pl.col("day") * DAY_SECONDS + DAY_END),
        warehouse=named(WAREHOUSES, pl.col("product") % len(WAREHOUSES)),
        on_hand="on_hand",
        on_order="on_order",
        supplier_id=identity("S", pl.Series(catalog.supplier[place]) + 1, 3),
        lead_time_days=pl.Series(catalog.lead_time[place]),
        unit_cost=pl.Series(catalog.cost[place]) / 100,
        _day="day",
        _spoilable=pl.lit(value=True),
    )


def reviews(world: World, chunk: Chunk) -> pl.DataFrame:
    """Reviews of delivered lines, some days after delivery."""
    drawn = draw_reviews(world, chunk)
    return drawn.select(
        review_id=review_id(),
        order_id=order_id(),
        product_id=world.catalog.ids.gather(drawn["product"]),
        customer_id=world.people.ids.gather(drawn["customer"]),
        rating="rating",
        title="title",
        text="text",
        reviewed_at=timestamp("at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        _day=day_of(world.options, "at"),
        _spoilable=pl.lit(value=True),
    )


def promotions(world: World, chunk: Chunk) -> pl.DataFrame:
    """Promotions on the day of their announcement, before they start."""
    planned = world.catalog.promotions
    frame = pl.DataFrame(
        {
            "number": np.arange(len(planned.product)) + 1,
            "product": planned.product,
            "kind": planned.kind,
            "percent": planned.percent,
            "day": planned.announced,
            "start": planned.start,
            "end": planned.end,
        }
    ).filter(_in_chunk(chunk))
    return frame.select(
        promotion_id=identity("PR", "number", 5),
        product_id=world.catalog.ids.gather(frame["product"]),
        name=text("{} % off", "percent"),
        kind=named(PROMOTION_KINDS, "kind"),
        discount_pct="percent",
        starts_on=date_of(world.options, "start"),
        ends_on=date_of(world.options, "end"),
        updated_at=timestamp(world.options.epoch + pl.col("day") * DAY_SECONDS + 60),
        _day="day",
        _spoilable=pl.lit(value=True),
    )


def marketing_spend(world: World, chunk: Chunk) -> pl.DataFrame:
    """Each day's spend by channel, campaign and country, with impressions and clicks."""
    spend = world.market.spend[chunk.first_day : chunk.end_day]
    day, channel, campaign, country = (axis.ravel() for axis in np.indices(spend.shape))
    rng = world.options.rng("clicks", chunk.number)
    cents = spend.ravel()
    impressions = np.rint(cents / np.array([1.8, 0.9, 0.3, 1.2])[channel] * rng.lognormal(0, 0.1, len(cents)))
    clicks = rng.binomial(impressions.astype(np.int64), np.array([0.035, 0.011, 0.002, 0.02])[channel])
    return pl.DataFrame(
        {"day": day + chunk.first_day, "channel": channel, "campaign": campaign, "cents": cents}
    ).select(
        spend_on=date_of(world.options, "day"),
        channel=named(AD_CHANNELS, "channel"),
        campaign=named(CAMPAIGNS, "campaign"),
        country=pl.Series(COUNTRIES).gather(country),
        currency=pl.lit("EUR"),
        spend=euros("cents"),
        impressions=pl.Series(impressions.astype(np.int64)),
        clicks=pl.Series(clicks),
        _day="day",
        _spoilable=pl.lit(value=True),
        _cents="cents",
    )


def exposures(world: World, chunk: Chunk) -> pl.DataFrame:
    """Customers on the day on which they first meet an experiment."""
    people = world.people
    inside = (people.exposed >= chunk.first_day) & (people.exposed < chunk.end_day)
    experiment, customer = np.nonzero(inside)
    rng = world.options.rng("exposures", chunk.number)
    at = people.exposed[inside] * DAY_SECONDS + rng.integers(0, DAY_SECONDS, len(customer))
    variant = np.where(people.treated[inside], "treatment", "control")
    return pl.DataFrame({"at": world.options.epoch + at, "experiment": experiment}).select(
        experiment_id=named(EXPERIMENTS, "experiment"),
        unit_id=people.ids.gather(customer),
        variant=pl.Series(variant, dtype=pl.String),
        exposed_at=timestamp("at"),
        _day=day_of(world.options, "at"),
        _spoilable=pl.lit(value=True),
    )


def _in_chunk(chunk: Chunk) -> pl.Expr:
    """Rows of the chunk's days; what lies before the first day belongs to the first file."""
    return pl.max_horizontal("day", 0).is_between(chunk.first_day, chunk.end_day - 1)


def _product_days(world: World, chunk: Chunk) -> pl.DataFrame:
    """The days on which a product's row is written: its listing, and each later change while it is listed."""
    catalog = world.catalog
    change_day, changed = np.nonzero(np.diff(catalog.price, axis=0, prepend=catalog.price[:1]))
    everyone = np.arange(world.options.products)
    frame = pl.concat(
        [
            _days(catalog.listed, everyone),
            _days(catalog.delisted, everyone),
            _days(change_day, changed),
            catalog.rewritten,
        ]
    ).unique()
    listed, delisted = pl.Series(catalog.listed), pl.Series(catalog.delisted)
    frame = frame.with_columns(
        listed=listed.gather(frame["product"]), delisted=delisted.gather(frame["product"])
    ).filter(pl.col("day").is_between("listed", "delisted"))
    rewritten = catalog.rewritten.with_columns(rewrites=pl.int_range(1, pl.len() + 1).over("product"))
    frame = frame.sort("day", "product").join_asof(
        rewritten.sort("day"), on="day", by="product", strategy="backward", check_sortedness=False
    )
    return frame.with_columns(pl.col("rewrites").fill_null(0)).drop("listed", "delisted").filter(_in_chunk(chunk))


def _days(day: Ints, product: Ints) -> pl.DataFrame:
    return pl.DataFrame({"day": day, "product": product})


FUNCTIONS: dict[str, FeedFunction] = {
    function.__name__: function
    for function in (
        orders,
        order_lines,
        payments,
        customers,
        products,
        page_events,
        stock_levels,
        reviews,
        promotions,
        marketing_spend,
        exposures,
    )
}
"""The function of every feed, by the feed's name."""
