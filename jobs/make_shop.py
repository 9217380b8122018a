"""Make the synthetic shop: `python jobs/make_shop.py --output DIR` (see `--help`)."""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from synthetic.base import Options, ShopError
from synthetic.shop import make_shop, summary


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message and the exit code of a wrong use."""
        self.exit(2, f"make_shop: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, make the shop, say what was made."""
    parser = Parser(description="Make a synthetic shop with planted truth and counted dirt.")
    parser.add_argument("--output", type=Path, required=True, help="folder of the shop")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same bytes")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2024, 1, 1), help="first day (YYYY-MM-DD)")
    for name, default in {"days": 90, "customers": 2000, "products": 300, "orders-per-day": 60}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--feeds", type=lambda text: tuple(text.split(",")), default=Options.feeds, help="a,b,c")
    parser.add_argument("--clean", action="store_true", help="plant no dirt")
    try:
        shop = make_shop(Options(**vars(parser.parse_args(arguments))))
    except ShopError as error:
        parser.error(str(error))
    sys.stdout.write(summary(shop))
    return 0


if __name__ == "__main__":
    sys.exit(main())
