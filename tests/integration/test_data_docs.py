"""The pages of the gates' verdicts can be read without a network."""

import re
from html.parser import HTMLParser

from tests.integration.conftest import Promoted

FETCHED = {"src", "srcset", "data", "poster"}


class Fetches(HTMLParser):
    """Every address that a page fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v or "" for name, v in attrs if name in FETCHED or (tag == "link" and name == "href")]


def test_no_page_fetches_anything_from_the_network(promoted: Promoted) -> None:
    site = promoted.warehouse / "ops" / "gx" / "uncommitted" / "data_docs" / "local_site"
    pages = sorted(site.rglob("*.html"))
    assert {page.relative_to(site).parts[0] for page in pages} == {"index.html", "expectations", "validations"}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        asked = Fetches()
        asked.feed(text)
        styled = re.findall(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)", text)
        addresses = [*asked.found, *(address for pair in styled for address in pair if address)]
        assert [a for a in addresses if re.match(r"(\w+:)?//", a)] == [], page
        assert {address.rpartition("/")[2] for address in asked.found} >= {"shoplake.css", "shoplake.js"}
        missing = [a for a in asked.found if not a.startswith("data:") and not (page.parent / a).is_file()]
        assert missing == [], page
    for style in site.rglob("*.css"):
        assert "//" not in "".join(re.findall(r"url\([^)]*\)", style.read_text(encoding="utf-8"))), style
