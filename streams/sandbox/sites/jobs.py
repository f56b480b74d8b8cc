"""A board of job ads: each employer decides on its own ad, so that many have no licence, or forbid machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC_BY, Site, SiteAnswer, html, links, missing

TRADES: Final = ("software", "health", "logistics")

_PERIOD_S: Final = 480
_OPEN: Final = 9
_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "software": ("Backend developer", "Site reliability engineer", "Data engineer", "Test engineer", "Tech writer"),
    "health": ("Nurse, night shift", "Lab assistant", "Paramedic", "Physiotherapist", "Midwife"),
    "logistics": ("Crane operator", "Train driver", "Warehouse lead", "Customs clerk", "Dispatcher"),
}
_EMPLOYERS: Final = ("Nordhafen AG", "Sund & Co", "Clinic West", "Freight Union", "Kvarn Labs", "Port Authority")
_TOWNS: Final = ("Malmö", "Gdańsk", "Rostock", "Turku", "Riga", "Aarhus")


class Ad(msgspec.Struct, frozen=True):
    """An ad. It is open for a while, and never changes."""

    number: int
    trade: str
    title: str
    employer: str
    town: str
    salary: int
    posted: datetime
    licence: str
    is_for_people_only: bool


class Jobs(Site):
    """Has an Atom feed and a page per ad; what is filled answers 410."""

    name = "jobs"
    title = "Baltic Job Board"
    disallowed = ("/apply/",)

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a trade's list or feed, or an ad."""
        if path == "/":
            return html(self.title, links([(f"/{trade}", trade) for trade in TRADES]))
        if path[1:] in TRADES:
            listed = [(f"/ad/{ad.number}", f"{ad.title}, {ad.town}") for ad in self.open_ads(path[1:], now)]
            return html(path[1:].title(), links([*listed, ("/apply/all", "Apply to all")]))
        if path.endswith(".atom") and path[1:-5] in TRADES:
            return self._atom(path[1:-5], now)
        if path.startswith("/ad/") and path[4:].isdigit():
            return self._ad_page(int(path[4:]), now)
        return None

    def open_ads(self, trade: str, now: datetime) -> list[Ad]:
        """Return the ads of a trade that are open, the newest first."""
        last = tick(now, _PERIOD_S)
        numbers = range(last, last - _OPEN * len(TRADES), -1)
        return [self.ad(number) for number in numbers if TRADES[number % len(TRADES)] == trade]

    def ad(self, number: int) -> Ad:
        """Return the ad of a number."""
        trade = TRADES[number % len(TRADES)]
        return Ad(
            number=number,
            trade=trade,
            title=self.chance.pick(_TITLES[trade], "title", number),
            employer=self.chance.pick(_EMPLOYERS, "employer", number),
            town=self.chance.pick(_TOWNS, "town", number),
            salary=100 * (280 + self.chance.number(400, "salary", number)),
            posted=tick_began(number, _PERIOD_S),
            licence=self.chance.pick((CC_BY, CC_BY, "", ""), "licence", number),
            is_for_people_only=self.chance.number(6, "people", number) == 0,
        )

    def _ad_page(self, number: int, now: datetime) -> SiteAnswer | None:
        last = tick(now, _PERIOD_S)
        if number > last:
            return None
        if number <= last - _OPEN * len(TRADES):
            return missing(self.title, 410)
        ad = self.ad(number)
        body = (
            f'<div class="ad" data-id="{ad.number}"><p class="employer">{escape(ad.employer)}</p>'
            f'<p class="town">{ad.town}</p><p class="salary">{ad.salary:,} EUR a year</p>'
            f'<p>Posted <time datetime="{ad.posted:%Y-%m-%d}">{ad.posted:%d %B}</time> in '
            f'<span class="trade">{ad.trade}</span></p><a href="/apply/{ad.number}">Apply</a></div>'
        )
        head = '<meta name="robots" content="noai, noimageai">' if ad.is_for_people_only else ""
        return html(ad.title, body, licence=ad.licence, head=head, modified_at=ad.posted)

    def _atom(self, trade: str, now: datetime) -> SiteAnswer:
        ads = self.open_ads(trade, now)
        entries = "".join(
            f"<entry><id>{self.base_url}/ad/{ad.number}</id><title>{escape(ad.title)}</title>"
            f'<link href="{self.base_url}/ad/{ad.number}?utm_campaign=atom"/>'
            f"<updated>{ad.posted:%Y-%m-%dT%H:%M:%SZ}</updated><summary>{escape(ad.employer)}</summary></entry>"
            for ad in ads
        )
        text = (
            f'<feed xmlns="http://www.w3.org/2005/Atom"><id>{self.base_url}/{trade}</id><title>{self.title}</title>'
            f"<updated>{ads[0].posted:%Y-%m-%dT%H:%M:%SZ}</updated>{entries}</feed>\n"
        )
        return SiteAnswer(media_type="application/atom+xml", body=text.encode(), modified_at=ads[0].posted)
