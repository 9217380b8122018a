"""How a shop does: its KPIs by period, each by the one formula of `gold.kpis`."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query

from gold.kpis import KPIS, Kpi, Period
from serving.api.access import needs
from serving.api.answers import KpiDefinition, KpiDefinitions, KpiSeries, KpiValue, Release, Shops, stamp
from serving.api.asked import LIMITED, LOOKED_UP, Id, Now, Shop
from serving.api.problems import Problem, unknown

router = APIRouter(prefix="/v1", tags=["KPIs"], dependencies=[needs("manager")])
_NAMED = {kpi.name: kpi for kpi in KPIS}


@router.get("/shops", responses=LIMITED)
async def shops(now: Now) -> Shops:
    """The shops that can be asked about."""
    return Shops(shops=now.shops, release=Release.of(now.release))


@router.get("/kpis", responses=LIMITED)
async def definitions() -> KpiDefinitions:
    """What each KPI means."""
    return KpiDefinitions(kpis=[_defined(kpi) for kpi in KPIS])


@router.get("/shops/{shop}/kpis/{name}", responses=LOOKED_UP)
def kpi_by_period(
    now: Now,
    shop: Shop,
    name: Annotated[Id, Path(description="KPI, as /v1/kpis names it")],
    period: Annotated[Period, Query(description="how days are taken together; a week begins on Monday")] = "month",
    since: Annotated[date | None, Query(description="first day of the first period (default: the first known)")] = None,
    until: Annotated[date | None, Query(description="last day on which a period may begin (default: the last)")] = None,
) -> KpiSeries:
    """A KPI of a shop by period and currency. A period without a row of its table is left out."""
    now.check_shop(shop)
    if name not in _NAMED:
        raise unknown("kpi", name, f"there are {', '.join(_NAMED)}")
    if since and until and since > until:
        detail = f"since ({since}) is after until ({until})"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail)
    last, rows = now.kpi(name, shop, period)
    values = [
        KpiValue(
            period_on=row["period_on"],
            is_complete=last is not None and row["ends_on"] <= last,
            currency=row["currency"],
            value=row["value"],
        )
        for row in rows
        if (since is None or row["period_on"] >= since) and (until is None or row["period_on"] <= until)
    ]
    return KpiSeries(**stamp(shop, now.release, None, last), kpi=_defined(_NAMED[name]), period=period, values=values)


def _defined(kpi: Kpi) -> KpiDefinition:
    return KpiDefinition(
        name=kpi.name,
        title=kpi.title,
        meaning=kpi.meaning,
        unit=kpi.unit,
        table=kpi.table.name,
        formula=kpi.formula,
        known_as=list(kpi.known_as),
    )
