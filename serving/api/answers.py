"""What the API answers, as it stands in OpenAPI. Columns of gold keep their names and meanings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from gold.customers import customer_segments
from gold.demand import demand_forecast, inventory_plan
from gold.kpis import Period, Unit
from lakehouse.accounts import releases
from lakehouse.declare.table import Table

_PYTHON: Mapping[str, type] = {
    "string": str,
    "int": int,
    "bigint": int,
    "double": float,
    "boolean": bool,
    "date": date,
}
_STAMP = {"shop_id", "as_of_on", "model", "model_run"}


class Release(BaseModel):
    """The release that an answer is of: tables that add up with each other."""

    run_id: str = Field(description="run that made it")
    at: datetime = Field(description="when (UTC)")

    @classmethod
    def of(cls, release: releases.Release) -> Release:
        """As the warehouse names it."""
        return cls(run_id=release.run_id, at=release.at)


class Answer(BaseModel):
    """What every answer about a shop says of itself."""

    shop_id: str = Field(description="shop that is asked about")
    as_of: date | None = Field(description="last day that the answer knows; null where the tables do not say")
    model: str | None = Field(description="model that scored, or the plain baseline; null where a formula answers")
    version: int | None = Field(description="version of the model; 0 is the plain baseline; null without a model")
    model_run: str | None = Field(description="MLflow run that trained it; null for a baseline")
    release: Release


def stamp(shop: str, release: releases.Release, row: Mapping[str, Any] | None, as_of: date | None) -> dict[str, Any]:
    """The fields of `Answer`, by the row of gold that an answer begins with."""
    label = row["model"] if row else None
    model, version = model_of(label) if label else (None, None)
    return {
        "shop_id": shop,
        "as_of": as_of,
        "model": model,
        "version": version,
        "model_run": row["model_run"] if row else None,
        "release": Release.of(release),
    }


def model_of(label: str) -> tuple[str, int]:
    """The model and the version that a scored row names (`recommend-shop v3`); a plain baseline is version 0."""
    named = re.fullmatch(r"(.+) v(\d+)", label)
    return (named[1], int(named[2])) if named else (label, 0)


def _row(name: str, table: Table, without: Sequence[str] = ()) -> type[BaseModel]:
    """A row of a table as a part of an answer: its columns, but those that the answer itself tells.

    A column that an older warehouse does not have yet is null.
    """
    fields: dict[str, Any] = {}
    for field in table.fields:
        if field.name in _STAMP or field.name in without:
            continue
        kind = Decimal if field.type.startswith("decimal") else _PYTHON[field.type]
        meaning = field.meaning + (f" [{field.unit}]" if field.unit else "")
        in_grain = field.name in table.grain
        fields[field.name] = (
            (kind, Field(description=meaning)) if in_grain else (kind | None, Field(None, description=meaning))
        )
    return create_model(name, __doc__=table.meaning, **fields)


class Suggested(BaseModel):
    """A product to show."""

    rank: int = Field(description="place in the answer, from 1")
    product_id: str = Field(description="product, by the shop's code; it may be sold now")
    name: str | None = Field(description="name as listed; null where the catalogue does not have it")
    reason: str = Field(description="why, in words")
    source: str = Field(description="table of gold that proposes it")
    model: str = Field(description="model and version that scored the row")
    chance: float | None = Field(None, description="probability of a purchase, as gold.recommendations has it")
    similarity: float | None = Field(
        None, description="cosine of the two products' orders, or of their ALS factors; 0 to 1"
    )
    lift: float | None = Field(None, description="how many times more often than by chance both were in one order")
    evidence: int | None = Field(None, description="orders with both")


Basis = Literal["customer", "session", "customer and session", "best sellers", "product", "cart"]


class Suggestions(Answer):
    """Products to show, the best first."""

    basis: Basis = Field(description="what they start from")
    items: list[Suggested]


ForecastPoint = _row("ForecastPoint", demand_forecast.TABLE, ("level", "series_id", "frequency"))
Plan = _row("Plan", inventory_plan.TABLE)
Segment = _row("Segment", customer_segments.TABLE)


class Forecast(Answer):
    """The demand to expect of a series."""

    level: str = Field(description="series, category or total")
    series_id: str
    frequency: str = Field(description="D: days, W: weeks, M: months")
    points: list[ForecastPoint]  # type: ignore[valid-type]  # made of the declaration as the module is loaded


class StockPlan(Answer):
    """The plan of a shop's products, by risk of running out, greatest first."""

    total: int = Field(description="products that fit, on all pages")
    items: list[Plan]  # type: ignore[valid-type]  # made of the declaration as the module is loaded


class CustomerSegment(Answer):
    """The segment that a customer is in."""

    segment: Segment  # type: ignore[valid-type]  # made of the declaration as the module is loaded


class KpiDefinition(BaseModel):
    """What a KPI means."""

    name: str
    title: str
    meaning: str
    unit: Unit
    table: str = Field(description="table of gold that it is computed from")
    formula: str = Field(description="SQL over the rows of a period")
    known_as: list[str] = Field(description="names in other tools")


class KpiValue(BaseModel):
    """The value of a KPI in a period."""

    period_on: date = Field(description="first day of the period")
    is_complete: bool = Field(description="whether the period ended by as_of")
    currency: str | None = Field(description="currency of the value (ISO 4217); null for a KPI of the whole shop")
    value: Decimal | int | float | None = Field(
        description="a sum of money, exact, as text; a count; a quotient (1 is 100 %) as a number; null: cannot be said"
    )


class KpiSeries(Answer):
    """A KPI by period; amounts of different currencies are never added."""

    kpi: KpiDefinition
    period: Period
    values: list[KpiValue]


class KpiDefinitions(BaseModel):
    """All KPIs that can be asked for."""

    kpis: list[KpiDefinition]


class TableFreshness(BaseModel):
    """A table of the release."""

    table: str
    version: int = Field(description="version of the Delta table")
    published_at: datetime | None = Field(description="when its rows last changed (UTC), by the ledger")


class ShopFreshness(BaseModel):
    """How far a shop's answers know."""

    shop_id: str
    recommend_as_of: date | None
    forecast_as_of: date | None
    segment_as_of: date | None


class Freshness(BaseModel):
    """How old the answers are."""

    release: Release
    age_seconds: float = Field(description="age of the release")
    is_newest: bool = Field(description="whether it is the newest release of the warehouse")
    problem: str | None = Field(description="why a newer release could not be loaded; null where all is well")
    shops: list[ShopFreshness]
    tables: list[TableFreshness]


class Health(BaseModel):
    """Whether the API answers."""

    status: Literal["ok", "stale"] = Field(description="stale: a newer release could not be loaded; see freshness")
    release: Release


class Shops(BaseModel):
    """The shops that can be asked about."""

    shops: list[str]
    release: Release
