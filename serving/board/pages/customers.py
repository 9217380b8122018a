"""Who buys: segments and their moves, recency, frequency and value, cohorts, and whom to mail."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from serving.board import charts, words
from serving.board.blocks import Block, Figure, Page, View, section

_POINTS = 1500
"""So many customers are drawn at most: those with the smallest hash, so that the same are drawn each time."""
_COHORTS = 24


@section("Segments", "gold.segment_profiles")
def segments(view: View) -> Iterator[Block]:
    """How many customers are in each segment, and what they brought."""
    rows = view.frame(
        "SELECT segment, customers, customer_share, net_revenue, mean_recency_days, mean_frequency, mean_monetary,"
        " mean_return_rate, as_of_on, model FROM gold.segment_profiles WHERE shop_id = $shop AND currency = $currency"
        " ORDER BY net_revenue DESC, segment"
    )
    if rows.is_empty():
        return
    total = rows["net_revenue"].sum()
    top = rows.row(0, named=True)
    brought = f", and brought {words.share_of(top['net_revenue'], total)} of the revenue" if total else ""
    shares = pl.concat(
        [
            rows.select("segment", (pl.col("customer_share") * 100).alias("share"), of=pl.lit("customers")),
            rows.select(
                "segment",
                (pl.col("net_revenue").cast(pl.Float64) / float(total or 1) * 100).alias("share"),
                of=pl.lit("revenue"),
            ),
        ]
    )
    yield Figure(
        "segments",
        "Segments of customers",
        f"{top['segment']} are {words.share(top['customer_share'])} of the customers{brought} "
        f"(as of {top['as_of_on']}).",
        rows,
        charts.bars(shares, "segment", "share", "% of all", by="of"),
        kinds={"customer_share": "share", "mean_return_rate": "share"},
        meanings=view.meanings("gold.segment_profiles", *rows.columns),
        note=f"Made by {top['model']}.",
    )


@section("Moves between segments", "gold.segment_moves")
def moves(view: View) -> Iterator[Block]:
    """Who is in another segment than a month before."""
    rows = view.frame(
        "SELECT coalesce(from_segment, 'new customer') AS from_segment, to_segment, direction, count(*) AS customers,"
        " max(compared_on) AS compared_on, max(as_of_on) AS as_of_on FROM gold.segment_moves WHERE shop_id = $shop"
        " GROUP BY ALL ORDER BY customers DESC, from_segment, to_segment"
    )
    if rows.is_empty():
        return
    by = {
        row["direction"]: row["customers"]
        for row in rows.group_by("direction").agg(pl.col("customers").sum()).to_dicts()
    }
    told = ", ".join(
        f"{by[name]:,} {said}"
        for name, said in (("up", "moved up"), ("down", "moved down"), ("new", "are new"))
        if by.get(name)
    )
    cells = (
        rows.group_by("from_segment", "to_segment").agg(pl.col("customers").sum()).sort("from_segment", "to_segment")
    )
    yield Figure(
        "moves",
        "Moves between segments",
        f"From {rows['compared_on'][0]} to {rows['as_of_on'][0]}, of the customers {told}.",
        rows,
        charts.heat(
            cells, "to_segment", "from_segment", "customers", titles=("segment now", "segment then"), form=",d"
        ),
        meanings=view.meanings("gold.segment_moves", *rows.columns),
    )


@section("Recency, frequency, value", "gold.customer_rfm")
def rfm(view: View) -> Iterator[Block]:
    """When each customer ordered last, and what the customer brought."""
    known = view.has("gold.customer_segments")
    segment = "coalesce(segment, 'none')" if known else "rfm_score"
    joined = "LEFT JOIN gold.customer_segments USING (shop_id, customer_id)" if known else ""
    rows = view.frame(
        f"SELECT customer_id, {segment} AS segment, recency_days, frequency, monetary, rfm_score FROM gold.customer_rfm"
        f" AS r {joined} WHERE shop_id = $shop AND r.currency = $currency AND frequency > 0 AND monetary > 0"
        " ORDER BY monetary DESC, customer_id"
    )
    if rows.is_empty():
        return
    fifth = rows.head(max(1, len(rows) // 5))
    total = rows["monetary"].sum()
    shown = rows.sort(pl.col("customer_id").hash(seed=1)).head(_POINTS)
    note = f"{_POINTS:,} customers of {len(rows):,} are drawn." if len(shown) < len(rows) else ""
    if not known:
        shown = shown.with_columns(pl.lit("customers").alias("segment"))
    yield Figure(
        "rfm",
        "Recency and value of customers",
        f"The best fifth of {words.things(len(rows), 'customer')} brought "
        f"{words.share_of(fifth['monetary'].sum(), total)} of their revenue.",
        rows,
        charts.points(
            shown,
            "recency_days",
            "monetary",
            "segment",
            titles=("days since the last order", f"net revenue ({view.currency}, logarithmic)"),
            tips=("customer_id:N", "segment:N", "recency_days:Q", "frequency:Q", "monetary:Q"),
        ),
        meanings=view.meanings("gold.customer_rfm", *rows.columns),
        note=note,
    )


@section("Cohorts", "gold.cohort_retention")
def cohorts(view: View) -> Iterator[Block]:
    """Of the customers won in a month, how many came back in the months after."""
    rows = view.frame(
        "SELECT cohort_month, months_since, customers, active_customers, retention, net_revenue"
        " FROM gold.cohort_retention WHERE shop_id = $shop AND currency = $currency AND customers > 0"
        " ORDER BY cohort_month, months_since"
    )
    if rows.is_empty():
        return
    after = rows.filter(pl.col("months_since") > 0)
    told = "There is no month after the first yet."
    if not after.is_empty():
        first = after.filter(pl.col("months_since") == 1)
        came_back = words.share_of(first["active_customers"].sum(), first["customers"].sum())
        told = f"Of the customers won in a month, {came_back} ordered again in the month after."
    months = rows["cohort_month"].unique().sort()[-_COHORTS:]
    shown = after.filter(pl.col("cohort_month").is_in(months.to_list()) & (pl.col("months_since") <= _COHORTS))
    yield Figure(
        "cohorts",
        "Customers who come back, by month of their first order",
        told,
        rows,
        charts.heat(
            shown.with_columns(pl.col("cohort_month").dt.strftime("%Y-%m"), pl.col("retention") * 100),
            "months_since",
            "cohort_month",
            "retention",
            titles=("months after the first order", "first order"),
            form=".0f",
        )
        if not shown.is_empty()
        else None,
        kinds={"retention": "share"},
        meanings=view.meanings("gold.cohort_retention", *rows.columns),
        note="In the chart: per cent of the cohort.",
    )


@section("Whom to mail", "gold.mail_targets")
def mail(view: View) -> Iterator[Block]:
    """Customers who agree to marketing, with why to write to them."""
    rows = view.frame(
        "SELECT customer_id, reason, segment, tier, last_order_on, recency_days, usual_interval_days, net_revenue,"
        " currency, as_of_on FROM gold.mail_targets WHERE shop_id = $shop"
        " ORDER BY reason, net_revenue DESC NULLS LAST, customer_id"
    )
    if rows.is_empty():
        return
    reasons = rows.group_by("reason").len("customers").sort("customers", "reason", descending=[True, False])
    top = reasons.row(0, named=True)
    yield Figure(
        "mail",
        "Whom to mail, and why",
        f"{words.things(len(rows), 'customer')} agreed to marketing; most, {top['customers']:,}, for: {top['reason']}.",
        rows,
        charts.bars(reasons, "reason", "customers", "customers"),
        meanings=view.meanings("gold.mail_targets", *rows.columns),
    )


PAGE = Page(
    "customers",
    "Customers",
    "Who buys, who comes back, who is about to leave, and whom should we write to?",
    (segments, moves, rfm, cohorts, mail),
)
