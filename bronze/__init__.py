"""Bronze: each feed's files as delivered, text columns, append only; a folder per source, a module per feed."""

from bronze import movielens_100k, online_retail, shop, stallion_beverages, walmart_weekly

STEPS = (
    *online_retail.STEPS,
    *shop.STEPS,
    *walmart_weekly.STEPS,
    *stallion_beverages.STEPS,
    *movielens_100k.STEPS,
)
