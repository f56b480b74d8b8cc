"""The sites that an unconfigured fleet runs: twenty topics, and further editions of them for regions.

Their sponsors stand on names that no one can own (`….example`): they are of the paper world, and pay in paper only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

import msgspec

from streams.content_monetization.contract import Kind, Period, SponsorContract
from streams.content_monetization.settings import ContentMonetizationSettings
from streams.metering.plan import Plan

MAX_SETTINGS: Final = 10_000

_SIGNED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PLACES: Final = Decimal("0.000001")
_MEMBER: Final = Plan(rate_per_s=2, burst=20, description="Pay for the articles that you read.")
_PASS: Final = Plan(rate_per_s=2, burst=20, credit="5.00", description="Five dollars' worth of articles, paid ahead.")
_SCHOOL: Final = Plan(rate_per_s=10, burst=60, quota=2_000, description="For a class: up to 2,000 articles a month.")


class _Deal(NamedTuple):
    """A contract in short: who, what for, how much, and what readers see."""

    sponsor: str
    kind: Kind
    rate: str
    headline: str
    text: str
    daily: str | None = None
    weight: int = 1
    priority: int = 0
    per_visitor: int | None = None
    period: Period = "day"


def _contract(deal: _Deal) -> SponsorContract:
    name = "-".join("".join(char if char.isalnum() else " " for char in deal.sponsor.lower()).split())
    return SponsorContract(
        id=f"{name}-{deal.kind}",
        sponsor=deal.sponsor,
        kind=deal.kind,
        rate=deal.rate,
        destination=f"https://{name}.example/?from=sponsor",
        headline=deal.headline,
        text=deal.text,
        starts=_SIGNED,
        period=deal.period,
        daily_budget=deal.daily,
        visitor_daily=deal.per_visitor,
        priority=deal.priority,
        weight=deal.weight,
    )


def _site(
    topic: str, title: str, tagline: str, hue: int, price: str, what_if: str, *deals: _Deal
) -> ContentMonetizationSettings:
    return ContentMonetizationSettings(
        title=title,
        tagline=tagline,
        topic=topic,
        accent_hue=hue,
        contracts=tuple(map(_contract, deals)),
        plans={"member": _MEMBER, "pass": _PASS, "school": _SCHOOL},
        default_plan="member",
        article_price=price,
        what_if_cpm=what_if,
    )


SITES: Final[tuple[ContentMonetizationSettings, ...]] = (
    _site(
        "home-coffee",
        "Second Crack",
        "Better coffee from what is in your kitchen.",
        25,
        "0.05",
        "4.00",
        _Deal(
            "Harbour Roasters", "cpm", "6.50", "Beans roasted on Tuesday", "In your letterbox on Thursday.", "40.00", 3
        ),
        _Deal(
            "Burr and Sons", "cpc", "0.22", "A hand grinder for life", "Steel burrs, spare parts for 20 years.", "15.00"
        ),
        _Deal("Clear Kettle", "fixed", "3.50", "The quiet kettle", "Holds 94 degrees without a beep."),
    ),
    _site(
        "bread",
        "Crumb Notes",
        "Sourdough and plain loaves, one variable at a time.",
        40,
        "0.04",
        "3.50",
        _Deal(
            "Mill Lane Flour", "cpm", "5.20", "Stoneground on the day you order", "Wheat, rye and spelt.", "30.00", 2
        ),
        _Deal("Hearthstone", "cpc", "0.30", "A baking stone that does not crack", "Fits most home ovens.", "12.00"),
    ),
    _site(
        "vegetable-garden",
        "Bed and Border",
        "Vegetables from a small garden, month by month.",
        120,
        "0.04",
        "3.00",
        _Deal("Old Seed House", "cpm", "4.80", "Seed that sets seed", "400 open-pollinated varieties.", "25.00", 2),
        _Deal("Wormery Works", "cpc", "0.18", "Compost without a heap", "A wormery for balconies.", "8.00"),
        _Deal("Rain Butt Co", "fixed", "2.00", "200 litres of rain", "Slim enough for a passage."),
    ),
    _site(
        "bicycle-repair",
        "True Spokes",
        "Keep a bicycle running with six tools.",
        205,
        "0.05",
        "4.20",
        _Deal("Chainline", "cpm", "7.00", "Chains measured, not guessed", "Wear gauges and quick links.", "35.00", 2),
        _Deal("Hub Oil", "cpc", "0.25", "One bottle, every bearing", "Biodegradable, made for rain.", "10.00"),
    ),
    _site(
        "trail-running",
        "Soft Ground",
        "Running off the road without getting hurt.",
        95,
        "0.06",
        "5.00",
        _Deal("Fell Shoes", "cpm", "8.40", "Lugs that let go of mud", "Tried on 40 fells.", "50.00", 3, 0, 8),
        _Deal("Night Beam", "cpc", "0.35", "See the root before it sees you", "A 60 gram head torch.", "18.00"),
    ),
    _site(
        "birdwatching",
        "The Feeder",
        "Birds within a walk from home.",
        190,
        "0.03",
        "2.80",
        _Deal("Clear Glass Optics", "cpm", "6.10", "8 by 32, 480 grams", "Binoculars for small hands.", "22.00", 2),
        _Deal("Nest and Post", "fixed", "1.80", "Boxes made of offcuts", "For tits, sparrows and swifts."),
    ),
    _site(
        "night-sky",
        "Naked Eye",
        "What is up tonight, without a telescope.",
        250,
        "0.04",
        "3.40",
        _Deal("Dark Field", "cpm", "5.60", "A red light that stays red", "Keep your eyes adapted.", "20.00"),
        _Deal("Planisphere Press", "cpc", "0.15", "The sky on a disc", "For your latitude, no battery.", "9.00"),
    ),
    _site(
        "houseplants",
        "North Window",
        "Plants for rooms with real light.",
        140,
        "0.04",
        "4.50",
        _Deal("Terracotta Yard", "cpm", "5.90", "Pots that breathe", "Hand thrown, with a saucer.", "30.00", 2),
        _Deal("Leaf Post", "cpc", "0.28", "Cuttings by post", "Rooted, with a care card.", "14.00"),
        _Deal("Grow Glow", "fixed", "2.40", "A lamp that looks like a lamp", "Full spectrum, 14 watts."),
    ),
    _site(
        "personal-finance",
        "Plain Ledger",
        "Household money in plain words.",
        215,
        "0.08",
        "9.00",
        _Deal(
            "Envelope App", "cpm", "14.00", "Budget in envelopes", "Works offline, exports to CSV.", "80.00", 2, 0, 6
        ),
        _Deal("Fair Index", "cpc", "0.90", "Funds, with the fee first", "Every cost on one page.", "60.00"),
    ),
    _site(
        "remote-work",
        "Door Closed",
        "Working well with people who are elsewhere.",
        230,
        "0.07",
        "8.00",
        _Deal("Quiet Desk", "cpm", "11.50", "A desk that does not wobble", "At any height.", "60.00", 2),
        _Deal("Minute Taker", "cpc", "0.65", "Notes of meetings that end in actions", "No recording needed.", "40.00"),
    ),
    _site(
        "python-notes",
        "Indented",
        "Python for people who maintain it later.",
        210,
        "0.06",
        "7.50",
        _Deal("Tracewell", "cpm", "12.00", "Errors with their values", "See the frame, not just the line.", "70.00", 3),
        _Deal(
            "Small Hosting", "cpc", "0.80", "A machine for one process", "Billed by the hour, owned by you.", "45.00"
        ),
    ),
    _site(
        "sql",
        "Inner Join",
        "Questions asked of tables, and why they are slow.",
        265,
        "0.06",
        "7.80",
        _Deal("Row Store", "cpm", "12.50", "Postgres, watched over", "Backups that are tried daily.", "65.00", 2),
        _Deal("Explain It", "cpc", "0.75", "Plans in pictures", "Paste a plan, see the cost.", "35.00"),
    ),
    _site(
        "home-network",
        "Patch Panel",
        "A home network that you understand.",
        180,
        "0.05",
        "6.00",
        _Deal("Copper and Light", "cpm", "8.80", "Cable by the metre", "Crimped and tested.", "40.00", 2),
        _Deal("Mesh Not", "fixed", "4.00", "One good access point", "And a drawing of where to put it."),
    ),
    _site(
        "board-games",
        "Table of Four",
        "Games that get played twice.",
        350,
        "0.04",
        "4.40",
        _Deal("Meeple Mill", "cpm", "6.60", "Wooden parts, replaced", "Lost a piece? We have it.", "28.00", 2),
        _Deal("Sleeve and Box", "cpc", "0.20", "Inserts that close", "For 300 games.", "11.00"),
    ),
    _site(
        "chess",
        "Quiet Move",
        "Chess for adults who began late.",
        45,
        "0.05",
        "4.00",
        _Deal("Boxwood Sets", "cpm", "5.40", "A set for the kitchen table", "Weighted, 95 mm king.", "24.00"),
        _Deal("Endgame Press", "cpc", "0.24", "100 endings, one a day", "A book without engines.", "10.00"),
    ),
    _site(
        "film-photography",
        "Grain",
        "Thirty-six exposures at a time.",
        15,
        "0.06",
        "5.20",
        _Deal("Silver Bath", "cpm", "7.90", "Developing by post", "Scans within three days.", "36.00", 2),
        _Deal("Lens Bench", "cpc", "0.42", "Shutters timed and cleaned", "A year of warranty.", "20.00"),
    ),
    _site(
        "water-colour",
        "Wet Edge",
        "Watercolour in small books and short hours.",
        200,
        "0.04",
        "3.60",
        _Deal("Rag Paper Mill", "cpm", "5.80", "300 grams, all cotton", "Blocks that stay flat.", "24.00", 2),
        _Deal("Twelve Pans", "fixed", "2.20", "Twelve colours are enough", "Single pigments in a tin."),
    ),
    _site(
        "woodworking",
        "Pencil Line",
        "Hand tools, small projects, flat results.",
        30,
        "0.06",
        "5.60",
        _Deal("Plane and True", "cpm", "8.20", "Irons ground square", "Ready to hone, 20 sizes.", "38.00", 2),
        _Deal("Dry Timber", "cpc", "0.48", "Boards at nine per cent", "Cut to length, by parcel.", "22.00"),
    ),
    _site(
        "sleep",
        "Lights Low",
        "What is known about sleeping better.",
        275,
        "0.05",
        "6.40",
        _Deal("Dark Curtain", "cpm", "9.20", "Curtains measured for you", "Down to one lux.", "44.00", 2, 0, 6),
        _Deal("Slow Alarm", "cpc", "0.38", "Wakes you with light", "No app, no account.", "16.00"),
    ),
    _site(
        "short-trips",
        "Two Stations",
        "Weekends by train, with one bag.",
        5,
        "0.05",
        "5.80",
        _Deal("Night Train Club", "cpm", "9.80", "Sleep across the border", "Beds in 60 trains.", "55.00", 3),
        _Deal("One Bag", "cpc", "0.40", "27 litres, three days", "Repairs for life.", "20.00"),
        _Deal("Station Hotels", "fixed", "5.00", "Rooms over the platforms", "Double glazing, early breakfast."),
    ),
)

_REGIONS: Final = (
    ("Nordics", "EUR", 120), ("United Kingdom", "GBP", 95), ("North America", "USD", 130), ("DACH", "EUR", 115),
    ("Iberia", "EUR", 80), ("Benelux", "EUR", 110), ("Latin America", "USD", 60), ("Baltics", "EUR", 70),
    ("Ireland", "EUR", 105), ("Oceania", "USD", 120), ("France", "EUR", 100), ("Italy", "EUR", 90),
    ("Southeast Asia", "USD", 55), ("Central Europe", "EUR", 75), ("Gulf", "USD", 125), ("Africa", "USD", 50),
    ("Balkans", "EUR", 65), ("India", "USD", 45), ("Japan", "USD", 110), ("Canada", "USD", 115),
)  # fmt: skip


def blueprint(n: int) -> Sequence[ContentMonetizationSettings]:
    """Return the settings of n different sites, the same for every call; the first 20 are made by hand.

    Raises:
        ValueError: n is negative or above `MAX_SETTINGS`.
    """
    if not 0 <= n <= MAX_SETTINGS:
        raise ValueError(f"there are from 0 to {MAX_SETTINGS} sites, not {n}")
    return tuple(_numbered(index) for index in range(n))


def _numbered(index: int) -> ContentMonetizationSettings:
    round_number, place = divmod(index, len(SITES))
    site = SITES[place]
    return site if round_number == 0 else _edition(site, round_number - 1)


def _edition(site: ContentMonetizationSettings, number: int) -> ContentMonetizationSettings:
    """Return a site for a region, at that region's prices; past the last region come further volumes."""
    volume, place = divmod(number, len(_REGIONS))
    region, asset, percent = _REGIONS[place]
    return msgspec.structs.replace(
        site,
        title=f"{site.title} {region}" + (f" {volume + 1}" if volume else ""),
        asset=asset,
        contracts=tuple(
            msgspec.structs.replace(
                contract,
                rate=_scaled(contract.rate, percent),
                daily_budget=None if contract.daily_budget is None else _scaled(contract.daily_budget, percent),
            )
            for contract in site.contracts
        ),
        article_price=_scaled(site.article_price, percent),
        what_if_cpm=_scaled(site.what_if_cpm, percent),
    )


def _scaled(amount: str, percent: int) -> str:
    scaled = (Decimal(amount) * percent / 100).quantize(_PLACES, rounding=ROUND_HALF_UP)
    return format(scaled.normalize(), "f")
