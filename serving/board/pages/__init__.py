"""The pages of the board, one file each, in the order in which they are shown. A new page is listed here."""

from serving.board.blocks import Page
from serving.board.pages import (
    customers,
    data,
    executive,
    forecasts,
    models,
    operations,
    products,
    recommendations,
)

PAGES: tuple[Page, ...] = (
    executive.PAGE,
    operations.PAGE,
    customers.PAGE,
    products.PAGE,
    recommendations.PAGE,
    forecasts.PAGE,
    models.PAGE,
    data.PAGE,
)
