"""A weather service: a table of stations per region, under CC BY, on a site without a robots.txt, in part slow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC_BY, Site, SiteAnswer, html, links, missing

REGIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "coast": ("Cape Nord", "Dune Island", "Old Light", "Sandbank", "Ferry Pier", "Oyster Bay", "Breakwater"),
    "hills": ("Fox Hill", "Upper Mill", "Stone Circle", "Three Oaks", "High Moor", "Quarry", "Bald Head"),
    "river": ("Weir", "Lower Lock", "Tanners' Bridge", "Old Ford", "Willow Bend", "Estuary"),
}

_PERIOD_S: Final = 600
_SLOW_S: Final = 1.2


class Weather(Site):
    """Its stations report every ten minutes, each region at another minute; now and then one reports nonsense."""

    name = "weather"
    title = "Open Weather Service"

    def robots(self, now: datetime) -> SiteAnswer:
        """Return that there is none, so that everything may be visited."""
        return missing(self.title)

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a region's table."""
        if path == "/":
            return html(self.title, links([(f"/stations/{region}", region) for region in REGIONS]))
        if path.startswith("/stations/") and path[10:] in REGIONS:
            answer = self._table(path[10:], now)
            return msgspec.structs.replace(answer, delay_s=_SLOW_S) if path[10:] == "hills" else answer
        return None

    def _table(self, region: str, now: datetime) -> SiteAnswer:
        offset_s = 180 * list(REGIONS).index(region)
        report = tick(now, _PERIOD_S, offset_s)
        at = tick_began(report, _PERIOD_S, offset_s)
        rows = "".join(self._row(region, place, name, report) for place, name in enumerate(REGIONS[region]))
        table = (
            f'<p>Reported <time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%H:%M}</time></p>'
            f'<table class="stations"><tbody>{rows}</tbody></table>'
        )
        return html(f"Stations: {region}", table, licence=CC_BY, modified_at=at)

    def _row(self, region: str, place: int, name: str, report: int) -> str:
        number = self.chance.number
        tenths = 60 + number(90, "base", region, place) + number(31, "now", region, place, report) - 15
        broken = number(25, "broken", region, place, report) == 0
        degrees = "999.9" if broken else f"{tenths // 10}.{tenths % 10}"
        return (
            f'<tr class="station" data-id="{region[0].upper()}{place + 1:02d}"><td class="name">{name}</td>'
            f'<td class="temperature">{degrees} °C</td>'
            f'<td class="wind">{number(18, "wind", region, place, report)} m/s</td>'
            f'<td class="humidity">{45 + number(50, "humidity", region, place, report)} %</td></tr>'
        )
