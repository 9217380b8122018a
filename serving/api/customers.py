"""Who somebody is: the segment of a customer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gold.customers import customer_segments
from serving.api.access import needs
from serving.api.answers import CustomerSegment, stamp
from serving.api.asked import LOOKED_UP, Id, Now, Shop
from serving.api.problems import unknown

router = APIRouter(prefix="/v1/shops/{shop}", tags=["customers"], dependencies=[needs("manager")])


@router.get("/segment", responses=LOOKED_UP)
async def segment(
    now: Now, shop: Shop, customer: Annotated[Id, Query(description="customer, as gold names them")]
) -> CustomerSegment:
    """The segment that a customer is in, and how much is expected of the customer."""
    now.check_shop(shop)
    now.check_table(customer_segments.TABLE)
    rows = now.segments.rows(shop, customer)
    if not rows:
        raise unknown("customer", customer, "gold.customer_segments has who bought something under a name")
    return CustomerSegment(**stamp(shop, now.release, rows[0], rows[0]["as_of_on"]), segment=rows[0])
