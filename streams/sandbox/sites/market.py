"""A wholesale market: lists of prices that move all day, in the public domain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC0, XML, Site, SiteAnswer, html, links, sitemap

GOODS: Final[Mapping[str, tuple[str, ...]]] = {
    "grain": ("Wheat", "Barley", "Rye", "Oats", "Maize", "Spelt", "Millet", "Sorghum"),
    "vegetables": ("Carrots", "Leeks", "Spinach", "Onions", "Beetroot", "Fennel", "Celeriac", "Chicory", "Kale"),
    "metals": ("Copper", "Zinc", "Tin", "Nickel", "Aluminium", "Lead", "Cobalt"),
    "timber": ("Spruce", "Oak", "Beech", "Larch", "Ash", "Pine", "Douglas fir"),
    "spices": ("Pepper", "Cumin", "Cloves", "Saffron", "Cardamom", "Nutmeg", "Turmeric", "Anise"),
}

_MOVE_S: Final = 900
_BUSY_EVERY: Final = 9
_BUSY_S: Final = 2


class Offer(msgspec.Struct, frozen=True):
    """What a good costs now; cents, so that nothing is rounded."""

    number: int
    name: str
    group: str
    cents: int
    unit: str
    stock: int
    since: datetime


class Market(Site):
    """Its lists have a row per good; the last row of some of them has a price that is none."""

    name = "market"
    title = "Wholesale Market"
    disallowed = ("/cart", "/account")
    crawl_delay_s = 0.25

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a list of prices, a good's own page, or the sitemap."""
        if path == "/":
            return html(self.title, links([*((f"/prices/{group}", group) for group in GOODS), ("/cart", "Cart")]))
        if path == "/sitemap.xml":
            offers = [offer for group in GOODS for offer in self.offers(group, now)]
            text = sitemap([(f"{self.base_url}/goods/{offer.number}", offer.since) for offer in offers])
            return SiteAnswer(media_type=XML, body=text.encode())
        if path.startswith("/prices/") and path[8:] in GOODS:
            if path[8:] == "spices" and visits % _BUSY_EVERY == _BUSY_EVERY - 1:
                return busy(now)
            return self._list(path[8:], now)
        if path.startswith("/goods/") and path[7:].isdigit():
            return self._good(int(path[7:]), now)
        return None

    def offers(self, group: str, now: datetime) -> list[Offer]:
        """Return what a group's goods cost now."""
        first = 100 * (1 + list(GOODS).index(group))
        return [self._offer(first + place, name, group, now) for place, name in enumerate(GOODS[group])]

    def _offer(self, number: int, name: str, group: str, now: datetime) -> Offer:
        # Each good moves at its own time, so that a list changes a little now and then.
        offset_s = self.chance.number(_MOVE_S, "offset", number)
        moves = tick(now, _MOVE_S, offset_s)
        base = 80 + self.chance.number(2_000, "base", number)
        drift = self.chance.number(21, "drift", number, moves) - 10
        return Offer(
            number=number,
            name=name,
            group=group,
            cents=base + base * drift // 200,
            unit=self.chance.pick(("kg", "100 kg", "t"), "unit", number),
            stock=self.chance.number(900, "stock", number, moves),
            since=tick_began(moves, _MOVE_S, offset_s),
        )

    def _list(self, group: str, now: datetime) -> SiteAnswer:
        rows = "".join(_row(offer) for offer in self.offers(group, now))
        note = (
            f'<tr class="offer" data-id="{group}-new"><td class="name">New this week</td>'
            '<td class="price">on request</td></tr>'
        )
        table = f'<table class="prices"><tbody>{rows}{note if group in ("spices", "timber") else ""}</tbody></table>'
        return html(f"Prices: {group}", table + links([("/cart", "Cart"), ("/", "All groups")]), licence=CC0)

    def _good(self, number: int, now: datetime) -> SiteAnswer | None:
        place, index = divmod(number, 100)
        if not 1 <= place <= len(GOODS):
            return None
        group = list(GOODS)[place - 1]
        if index >= len(GOODS[group]):
            return None
        offer = self.offers(group, now)[index]
        origin = self.chance.pick(("Jutland", "Picardy", "Thrace", "Galicia", "Skåne", "Apulia"), "origin", number)
        body = (
            f'<dl class="good" data-id="{number}"><dt>Name</dt><dd class="name">{escape(offer.name)}</dd>'
            f'<dt>Group</dt><dd class="group">{group}</dd><dt>Origin</dt><dd class="origin">{origin}</dd>'
            f'<dt>Sold by</dt><dd class="unit">{offer.unit}</dd></dl>'
        )
        return html(offer.name, body, licence=CC0, modified_at=offer.since)


def busy(now: datetime) -> SiteAnswer:
    """Return the answer of a site that wants to be left alone for a moment."""
    page = html("Too many visitors", "<p>Please come back in a moment.</p>")
    return msgspec.structs.replace(page, status=429, headers=(("retry-after", str(_BUSY_S)),), is_tagged=False)


def _row(offer: Offer) -> str:
    euros, cents = divmod(offer.cents, 100)
    return (
        f'<tr class="offer" data-id="{offer.group}-{offer.number}"><td class="name">{escape(offer.name)}</td>'
        f'<td class="price">EUR {euros},{cents:02d}</td><td class="unit">{offer.unit}</td>'
        f'<td class="stock">{offer.stock}</td><td><time datetime="{offer.since:%Y-%m-%dT%H:%M:%SZ}">'
        f"{offer.since:%H:%M}</time></td></tr>"
    )
