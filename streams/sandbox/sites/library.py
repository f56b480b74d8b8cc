"""A library's catalogue in the public domain: found by sitemaps, with pages that are broken in several ways."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC0, TEXT, XML, Site, SiteAnswer, html, links, redirect, sitemap

SHELVES: Final = ("novels", "travel", "nature")

_PER_SHELF: Final = 9
_LENDING_S: Final = 1_200
_AUTHORS: Final = ("Jeanne Hébert", "Søren Kjær", "Li Wei", "Ana Muñoz", "Zofia Żak", "Olu Adeyemi")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "novels": ("The Salt Road", "A House of Clocks", "Nine Winters", "The Glass Ferry", "Letters to No One"),
    "travel": ("Across the Sound", "On Foot to Trieste", "The Slow Train", "Islands in May", "Passes of the Alps"),
    "nature": ("Mosses of the North", "The Life of Eels", "Night Moths", "Hedgerows", "Tides and Times"),
}


class Library(Site):
    """Every shelf has a sitemap (one of them compressed); book pages say whether the book is in."""

    name = "library"
    title = "City Library"
    disallowed = ("/members/", "/holds")
    crawl_delay_s = 0.2

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a sitemap, a shelf, or a book."""
        if path == "/":
            return html(
                self.title, links([*((f"/shelf/{shelf}", shelf) for shelf in SHELVES), ("/members/", "Members")])
            )
        if path == "/sitemap.xml":
            return self._sitemap_index()
        if path.startswith("/sitemaps/"):
            return self._sitemap(path[10:], now)
        if path.startswith("/shelf/") and path[7:] in SHELVES:
            shelf = SHELVES.index(path[7:])
            books = [(f"/book/{shelf * 100 + place}", self._name(shelf * 100 + place)) for place in range(_PER_SHELF)]
            return html(path[7:].title(), links([*books, ("/holds", "My holds")]), licence=CC0)
        if path.startswith("/book/") and path[6:].isdigit():
            return self._book(int(path[6:]), now)
        if path.startswith("/id/"):
            return redirect(f"/book/{path[4:]}", 308)
        return None

    def _sitemap_index(self) -> SiteAnswer:
        listed = "".join(
            f"<sitemap><loc>{self.base_url}/sitemaps/{shelf}.xml{'.gz' if shelf == 'nature' else ''}</loc></sitemap>"
            for shelf in SHELVES
        )
        text = f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</sitemapindex>\n'
        return SiteAnswer(media_type=XML, body=text.encode())

    def _sitemap(self, file: str, now: datetime) -> SiteAnswer | None:
        shelf, _, ending = file.partition(".")
        if shelf not in SHELVES or ending != ("xml.gz" if shelf == "nature" else "xml"):
            return None
        numbers = [SHELVES.index(shelf) * 100 + place for place in range(_PER_SHELF)]
        # One address is an old one, which redirects.
        entries = [
            (f"{self.base_url}/{'id' if number % 100 == 4 else 'book'}/{number}", self._lent_at(number, now))
            for number in numbers
        ]
        text = sitemap([*entries, (f"{self.base_url}/members/new", None)]).encode()
        if ending == "xml":
            return SiteAnswer(media_type=XML, body=text)
        return SiteAnswer(media_type="application/gzip", body=gzip.compress(text, mtime=0))

    def _book(self, number: int, now: datetime) -> SiteAnswer | None:
        shelf, place = divmod(number, 100)
        if shelf >= len(SHELVES) or place >= _PER_SHELF:
            return None
        lent_at = self._lent_at(number, now)
        is_in = self.chance.number(3, "in", number, lent_at.timestamp()) > 0
        isbn = "" if place == 7 else f'<dd class="isbn">{_isbn(self.chance.number(10**9, "isbn", number))}</dd>'
        body = (
            f'<dl class="book" data-id="{number}"><dt>Author</dt><dd class="author">'
            f"{escape(self.chance.pick(_AUTHORS, 'author', number))}</dd><dt>ISBN</dt>{isbn}"
            f'<dt>Year</dt><dd class="year">{1950 + self.chance.number(75, "year", number)}</dd>'
            f'<dt>Shelf</dt><dd class="shelf">{SHELVES[shelf]}</dd>'
            f'<dt>Now</dt><dd class="now">{"available" if is_in else "unavailable"}</dd></dl>'
        )
        page = html(self._name(number), body, licence=CC0, modified_at=lent_at)
        if place == 2:  # Latin-1 that says it is UTF-8
            return msgspec.structs.replace(page, body=page.body.decode().encode("latin-1", "replace"))
        if place == 5:  # cut short
            return msgspec.structs.replace(page, body=page.body[: page.body.index(b"<dt>Shelf")])
        return page

    def _lent_at(self, number: int, now: datetime) -> datetime:
        offset_s = self.chance.number(_LENDING_S, "lent", number)
        return tick_began(tick(now, _LENDING_S, offset_s), _LENDING_S, offset_s)

    def _name(self, number: int) -> str:
        shelf, place = divmod(number, 100)
        words = _WORDS[SHELVES[shelf]]
        name = words[place % len(words)]
        return name if place < len(words) else f"{name}, part {place // len(words) + 1}"


class Mirror(Library):
    """An old mirror of the library, whose robots.txt cannot be had for a quarter of every two minutes."""

    name = "mirror"
    title = "City Library (mirror)"

    def robots(self, now: datetime) -> SiteAnswer:
        """Return an error now and then: to robots, the whole site is closed then."""
        if tick(now, 30) % 4 == 0:
            return SiteAnswer(status=503, media_type=TEXT, body=b"The mirror is being updated.\n", is_tagged=False)
        return super().robots(now)


def _isbn(number: int) -> str:
    digits = f"978{number:09d}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"
