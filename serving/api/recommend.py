"""What to show: to a customer, to a stranger, in a session, beside a product or a cart."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gold.recommend import best_sellers, cart_suggestions, item_neighbors
from ml.recommend.candidates.pool import Task
from serving.api.access import needs
from serving.api.answers import Basis, Suggested, Suggestions, stamp
from serving.api.asked import LOOKED_UP, Id, Limit, Now, Product, Products, Shop
from serving.api.problems import unknown
from serving.api.products import Row, fused
from serving.api.release import Loaded

router = APIRouter(prefix="/v1/shops/{shop}", tags=["what to show"], dependencies=[needs("storefront")])


@router.get("/recommendations", responses=LOOKED_UP)
async def what_to_show(
    now: Now,
    shop: Shop,
    customer: Annotated[Id | None, Query(description="customer, as gold names them; left out for a stranger")] = None,
    seen: Annotated[Products, Query(description="products looked at in this session, in order; once for each")] = (),
    cart: Annotated[Products, Query(description="products in the cart; once for each")] = (),
    country: Annotated[Id | None, Query(description="country of a stranger, by its code in the shop's orders")] = None,
    task: Annotated[Task, Query(description="ALL: any product; NEW: only what the customer never bought")] = "ALL",
    limit: Limit = 10,
) -> Suggestions:
    """What to show a visitor.

    A known customer without a session gets the list that was scored. A session, or a cart, gets what goes with it; a
    customer's own list is fused with that. Best sellers fill up, but not a customer's own list: who has bought or given
    back what else may be sold gets a shorter one.
    """
    products = now.products(shop)
    own = products.for_customer(customer, task) if customer else []
    session = [*seen, *cart]
    if own and not session:
        return _answer(now, shop, "customer", own[:limit])
    away = products.had(customer) if customer else set()
    if task == "ALL":  # the model lists what may be bought again; the rest may have come back
        away -= {row["product_id"] for row in own}
    away |= set(session)
    near = products.for_session(session, away, max(limit, len(own)))
    rows = list(fused(near, [row for row in own if row["product_id"] not in away]))[:limit]
    basis: Basis = "customer and session" if own else "session" if near else "best sellers"
    rows += products.for_strangers(country, away | {row["product_id"] for row in rows}, limit - len(rows))
    if not rows:
        now.check_table(item_neighbors.TABLE if session else best_sellers.TABLE)
    return _answer(now, shop, basis, rows)


@router.get("/similar-products", responses=LOOKED_UP)
async def similar_products(now: Now, shop: Shop, product: Product, limit: Limit = 10) -> Suggestions:
    """What goes with a product: bought in one order with it, then liked by the same customers."""
    products = now.products(shop)
    now.check_table(item_neighbors.TABLE)
    if not products.knows(product):
        raise unknown("product", product, "gold and the catalogue of this shop do not have it")
    return _answer(now, shop, "product", products.similar(product, limit))


@router.get("/cart-suggestions", responses=LOOKED_UP)
async def beside_a_cart(
    now: Now,
    shop: Shop,
    product: Annotated[Products, Query(min_length=1, description="products in the cart; once for each")],
    limit: Limit = 10,
) -> Suggestions:
    """What to put beside a cart. Products that are not known say nothing."""
    products = now.products(shop)
    now.check_table(cart_suggestions.TABLE)
    return _answer(now, shop, "cart", products.beside(product, limit))


def _answer(now: Loaded, shop: str, basis: Basis, rows: list[Row]) -> Suggestions:
    first = rows[0] if rows else None
    as_of = first.get("as_of_on") if first else None
    items = [Suggested(**{**row, "rank": place}) for place, row in enumerate(rows, start=1)]
    return Suggestions(
        **stamp(shop, now.release, first, as_of or now.as_of(shop).get("recommend")), basis=basis, items=items
    )
