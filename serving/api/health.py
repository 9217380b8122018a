"""Whether the API answers, and how old its answers are."""

from __future__ import annotations

from fastapi import APIRouter, Request

from lakehouse.clock import system_clock
from serving.api.access import needs
from serving.api.answers import Freshness, Health, Release, ShopFreshness, TableFreshness
from serving.api.asked import LIMITED, Now
from serving.api.release import Live

router = APIRouter(prefix="/v1", tags=["health"])


@router.get("/health")
async def health(request: Request) -> Health:
    """Whether the API answers; needs no key, for those who watch it."""
    live: Live = request.app.state.live
    return Health(status="stale" if live.problem else "ok", release=Release.of(live.now.release))


@router.get("/freshness", responses=LIMITED, dependencies=[needs("manager")])
def freshness(request: Request, now: Now) -> Freshness:
    """How old the answers are: the release, how far each shop's models know, when each table last changed."""
    live: Live = request.app.state.live
    return Freshness(
        release=Release.of(now.release),
        age_seconds=(system_clock() - now.release.at).total_seconds(),
        is_newest=now.reader.is_newest,
        problem=live.problem,
        shops=[
            ShopFreshness(
                shop_id=shop,
                **{f"{name}_as_of": now.as_of(shop).get(name) for name in ("recommend", "forecast", "segment")},
            )
            for shop in now.shops
        ],
        tables=[
            TableFreshness(table=name, version=now.release.versions[name], published_at=now.published_at.get(name))
            for name in sorted(now.reader.tables)
        ],
    )
