"""The businesses that an unconfigured fleet runs: twenty made by hand, on the sandbox's sites, and editions of them.

Live, the sites are named in the settings: a URL in the place of each `{"site": …, "path": …}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec

from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.field import Field
from streams.data_harvesting.recipe import LicenceRule, Recipe, SitePath
from streams.data_harvesting.settings import DataHarvestingSettings
from streams.metering.plan import Plan

MAX_SETTINGS: Final = 10_000

_CENT: Final = Decimal("0.01")
_FETCH: Final = FetchPolicy(
    contact="https://automate.invalid/harvester", min_delay_s=0.2, patience_s=20.0, backoff_s=2.0, max_backoff_s=600.0
)
_PLANS: Final = {
    "reader": Plan(rate_per_s=5, burst=50, description="Pay for what you download."),
    "newsroom": Plan(rate_per_s=50, burst=500, description="For many programs at once."),
    "trial": Plan(rate_per_s=1, burst=5, quota=20, credit="5.00", description="To try it out."),
}


def _page(site: str, path: str) -> SitePath:
    return SitePath(f"site.{site}", path)


def _business(title: str, tagline: str, name: str, recipe: Recipe) -> DataHarvestingSettings:
    return DataHarvestingSettings(
        title=title,
        tagline=tagline,
        datasets={name: recipe},
        plans=_PLANS,
        default_plan="reader",
        fetch=_FETCH,
    )


def _headlines(section: str, file: str, price: str, *, granted: str = "") -> Recipe:
    return Recipe(
        title=f"Headlines: {section}",
        description=f"What the Harbour Gazette's {section} pages brought, as its feed tells it.",
        price=price,
        feeds=(_page("gazette", file),),
        records="feed",
        fields={
            "headline": Field(select="title", description="As it was printed."),
            "link": Field("url", select="link", description="The article."),
            "summary": Field(select="summary", required=False),
            "author": Field(select="author", required=False),
            "published": Field("time", select="published", required=False),
        },
        key=("link",),
        licence=LicenceRule(granted=granted, attribution="The Harbour Gazette"),
    )


def _articles(price: str) -> Recipe:
    return Recipe(
        title="Articles, whole",
        description="The text of the Gazette's articles on the city, with author and time.",
        price=price,
        pages=(_page("gazette", "/city"),),
        follow=(r"^/r/\d+$", r"^/drafts/"),
        records_on=r"^/news/",
        item="article",
        fields={
            "number": Field("integer", attribute="data-number", minimum="1"),
            "author": Field(select=".author"),
            "published": Field("time", select="time", attribute="datetime"),
            "summary": Field(select=".summary"),
            "text": Field(select=".text"),
            "section": Field(select=".section", pattern="[a-z]+"),
        },
        key=("number",),
        licence=LicenceRule(attribution="The Harbour Gazette"),
    )


def _prices(group: str, price: str) -> Recipe:
    return Recipe(
        title=f"Wholesale prices: {group}",
        description=f"What {group} cost on the wholesale market now.",
        price=price,
        pages=(_page("market", f"/prices/{group}"),),
        item="tr.offer",
        fields={
            "id": Field(attribute="data-id", pattern=r"[a-z]+-\d+"),
            "name": Field(select=".name"),
            "price": Field(
                "decimal", select=".price", extract=r"EUR ([\d.,]+)", comma=True, minimum="0.01", maximum="100000"
            ),
            "unit": Field(select=".unit"),
            "stock": Field("integer", select=".stock", minimum="0"),
            "since": Field("time", select="time", attribute="datetime"),
        },
        key=("id",),
        vanished="drop",
        licence=LicenceRule(attribution="Wholesale Market"),
    )


def _events(kind: str, path: str, price: str) -> Recipe:
    return Recipe(
        title=f"What is on: {kind}",
        description=f"Upcoming {kind} with place, time and price; what is over is taken out.",
        price=price,
        pages=(_page("agora", path),),
        follow=(r"^/event/\d+$", rf"^/events/{kind}\?page=\d+$"),
        depth=2,
        records_on=r"^/event/",
        item="section.event",
        fields={
            "id": Field("integer", attribute="data-id"),
            "kind": Field(attribute="data-kind", pattern="[a-z]+"),
            "state": Field(attribute="data-state", pattern="on|cancelled"),
            "venue": Field(select=".venue"),
            "starts": Field("time", select="time", attribute="datetime", minimum="2020-01-01", maximum="2100-01-01"),
            "price": Field("decimal", select=".price", extract=r"([\d.]+) EUR", minimum="0", maximum="1000"),
            "tickets": Field("url", select=".tickets", attribute="href", required=False),
        },
        key=("id",),
        vanished="drop",
        licence=LicenceRule(attribution="Agora"),
    )


def _jobs(trade: str, price: str, *, granted: str = "") -> Recipe:
    return Recipe(
        title=f"Job ads: {trade}",
        description=f"Open {trade} positions around the Baltic; only ads whose employers allow it.",
        price=price,
        feeds=(_page("jobs", f"/{trade}.atom"),),
        follow=(r"^/ad/\d+$",),
        records_on=r"^/ad/",
        item="div.ad",
        fields={
            "id": Field("integer", attribute="data-id"),
            "employer": Field(select=".employer"),
            "town": Field(select=".town"),
            "salary": Field(
                "integer",
                select=".salary",
                extract=r"([\d,]+) EUR",
                unit="EUR a year",
                minimum="10000",
                maximum="500000",
            ),
            "posted": Field("date", select="time", attribute="datetime"),
            "trade": Field(select=".trade"),
        },
        key=("id",),
        vanished="drop",
        licence=LicenceRule(granted=granted, attribution="Baltic Job Board"),
    )


def _weather(region: str, price: str) -> Recipe:
    return Recipe(
        title=f"Weather stations: {region}",
        description=f"The last report of every station: {region}.",
        price=price,
        pages=(_page("weather", f"/stations/{region}"),),
        item="tr.station",
        fields={
            "station": Field(attribute="data-id", pattern=r"[A-Z]\d\d"),
            "name": Field(select=".name"),
            "temperature": Field(
                "decimal", select=".temperature", extract=r"(-?[\d.]+)", unit="°C", minimum="-60", maximum="60"
            ),
            "wind": Field("integer", select=".wind", extract=r"(\d+)", unit="m/s", minimum="0", maximum="100"),
            "humidity": Field("integer", select=".humidity", extract=r"(\d+)", unit="%", minimum="0", maximum="100"),
        },
        key=("station",),
        vanished="drop",
        every_s=120.0,
        licence=LicenceRule(attribution="Open Weather Service"),
    )


def _books(shelf: str, ending: str, price: str, *, also: tuple[SitePath, ...] = ()) -> Recipe:
    return Recipe(
        title=f"Library catalogue: {shelf}",
        description=f"The {shelf} shelf of the City Library, and what of it is in.",
        price=price,
        sitemaps=(_page("library", f"/sitemaps/{shelf}.{ending}"),),
        pages=also,
        follow=(r"^/(book|id)/\d+$",),
        records_on=r"^/book/",
        item="dl.book",
        fields={
            "id": Field("integer", attribute="data-id"),
            "author": Field(select=".author"),
            "isbn": Field(select=".isbn", pattern=r"97[89]\d{10}"),
            "year": Field("integer", select=".year", minimum="1450", maximum="2100"),
            "shelf": Field(select=".shelf"),
            "is_in": Field("boolean", select=".now"),
        },
        key=("id",),
        vanished="drop",
        licence=LicenceRule(attribution="City Library"),
    )


BUSINESSES: Final[tuple[DataHarvestingSettings, ...]] = (
    _business("Spice Ticker", "The price of pepper, and of seven others.", "spices", _prices("spices", "0.06")),
    _business(
        "City Wire", "Every headline of the city, as data.", "headlines", _headlines("city", "/city/feed.xml", "0.05")
    ),
    _business("Curtain Call", "Every play in town.", "theatre", _events("theatre", "/events/theatre", "0.08")),
    _business("Dev Openings", "Who hires programmers around the Baltic.", "ads", _jobs("software", "0.25")),
    _business("Coast Report", "Wind and weather from seven stations.", "stations", _weather("coast", "0.02")),
    _business("Shelf Data", "A catalogue, record by record.", "novels", _books("novels", "xml", "0.15")),
    _business(
        "Culture Desk",
        "What theatres and museums are up to.",
        "headlines",
        _headlines("culture", "/culture/atom.xml", "0.05"),
    ),
    _business("Grain Board", "Grain prices for those who mill.", "grain", _prices("grain", "0.04")),
    _business(
        "Gig List", "Concerts, with places and prices.", "concerts", _events("concerts", "/calendar/concerts", "0.09")
    ),
    _business("Ward Jobs", "Openings in clinics.", "ads", _jobs("health", "0.22")),
    _business("Hill Report", "Seven stations above the tree line.", "stations", _weather("hills", "0.03")),
    _business(
        "Travel Shelf",
        "Travel books, and whether they are in.",
        "travel",
        _books("travel", "xml", "0.12", also=(_page("mirror", "/shelf/travel"),)),
    ),
    _business(
        "Lab Notes",
        "Science news without the noise.",
        "headlines",
        _headlines("science", "/science/feed.json", "0.06", granted="CC-BY-4.0"),
    ),
    _business("Greens Today", "Vegetables by the crate.", "vegetables", _prices("vegetables", "0.04")),
    _business("Fixture Feed", "Sports you can walk to.", "sports", _events("sports", "/events/sports", "0.07")),
    _business(
        "Freight Hands",
        "Jobs on docks and rails, by agreement with the board.",
        "ads",
        _jobs("logistics", "0.30", granted="Agreement with Baltic Job Board, 2026-03"),
    ),
    _business("Metal Sheet", "Base metals, spot.", "metals", _prices("metals", "0.08")),
    _business("Gazette Full Text", "Whole articles, ready to be read by programs.", "articles", _articles("0.40")),
    _business("Stall Finder", "Markets of all kinds.", "markets", _events("markets", "/events/markets", "0.05")),
    _business("Field Guide Index", "Nature books of the City Library.", "nature", _books("nature", "xml.gz", "0.14")),
)

_EDITIONS: Final = ("Weekly", "Archive", "Regional", "Wholesale", "Academic", "Press", "Small", "Premium")
_PERCENT: Final = (90, 120, 100, 75, 60, 150, 50, 200)


def blueprint(n: int) -> Sequence[DataHarvestingSettings]:
    """Return the settings of n different businesses, the same for every call; the first 20 are made by hand.

    Raises:
        ValueError: n is negative or above `MAX_SETTINGS`.
    """
    if not 0 <= n <= MAX_SETTINGS:
        raise ValueError(f"there are from 0 to {MAX_SETTINGS} businesses, not {n}")
    return tuple(_numbered(index) for index in range(n))


def _numbered(index: int) -> DataHarvestingSettings:
    round_number, place = divmod(index, len(BUSINESSES))
    business = BUSINESSES[place]
    return business if round_number == 0 else _edition(business, round_number - 1)


def _edition(business: DataHarvestingSettings, number: int) -> DataHarvestingSettings:
    """Return another edition: the same sources, at another price and pace; past the last come numbered ones."""
    round_number, place = divmod(number, len(_EDITIONS))
    pace = 2.0 + number % 7
    changes: dict[str, Any] = {
        name: msgspec.structs.replace(
            recipe,
            price=_scaled(recipe.price, _PERCENT[place]),
            every_s=recipe.every_s * pace,
            at_most_every_s=recipe.at_most_every_s * pace,
        )
        for name, recipe in business.datasets.items()
    }
    suffix = f" {round_number + 1}" if round_number else ""
    return msgspec.structs.replace(business, title=f"{business.title} {_EDITIONS[place]}{suffix}", datasets=changes)


def _scaled(price: str, percent: int) -> str:
    scaled = (Decimal(price) * percent / 100).quantize(_CENT, rounding=ROUND_HALF_UP)
    return str(max(scaled, _CENT))
