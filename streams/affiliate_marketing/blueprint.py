"""The businesses that an unconfigured fleet runs: twenty agencies made by hand, and regional variations of them.

Their merchants are at the three networks of the sandbox. Live, an agency is configured with the real networks'
URLs and secrets; the shape is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from streams.affiliate_marketing.caps import Cap
from streams.affiliate_marketing.destination import FarPath
from streams.affiliate_marketing.settings import (
    AffiliateMarketingSettings,
    Campaign,
    Link,
    Network,
    Offer,
    RotationTuning,
)
from streams.affiliate_marketing.statement_format import StatementFormat

MAX_SETTINGS: Final = 10_000

NETWORKS: Final[dict[str, Network]] = {
    "meridian": Network("Meridian Affiliates", far_side="network.meridian"),
    "tradepath": Network(
        "Tradepath",
        far_side="network.tradepath",
        statement=StatementFormat(
            order_id="Transaction", status="State", commission="Commission", currency="Cur", date="Date", delimiter=";"
        ),
    ),
    "brightleaf": Network(
        "Brightleaf Partners",
        far_side="network.brightleaf",
        statement=StatementFormat(
            order_id="Bestellnummer",
            status="Status",
            commission="Provision",
            currency="Währung",
            date="Datum",
            date_format="%d.%m.%Y",
            decimal=",",
            paid=("ausgezahlt", "bezahlt"),
        ),
    ),
}

_PARAMETERS: Final = {"meridian": "mclid", "tradepath": "tp_click", "brightleaf": "subid"}
_SUB_IDS: Final = {"s1": "pub1", "s2": "pub2"}
_REGIONS: Final = ("Nordics", "Iberia", "Alps", "Baltics", "Benelux", "Midlands", "Pacific", "Prairies")


class _Programme(NamedTuple):
    merchant: str
    title: str
    network: str
    commission: str
    max_commission: str
    currency: str = "USD"
    window_days: int = 30
    cap_day: int | None = None


class _Business(NamedTuple):
    title: str
    tagline: str
    programmes: tuple[_Programme, ...]
    links: tuple[str, ...]


_P = _Programme

_BUSINESSES: Final = (
    _Business(
        "Kettle & Crumb",
        "Kitchen things that last longer than their warranty.",
        (
            _P("Hearthside Kitchen", "Stovetop kettles", "meridian", "6%", "18.00"),
            _P("Copper Lane", "Cookware sets", "tradepath", "8%", "45.00"),
        ),
        ("Kettles that pour where you point", "The last pan set you buy"),
    ),
    _Business(
        "Trailhead Notes",
        "Tents, packs and boots, after the second rainy week.",
        (
            _P("Ridgeway Outdoors", "Three-season tents", "meridian", "7%", "40.00"),
            _P("Fellbound", "Hiking boots", "brightleaf", "9%", "25.00", "EUR"),
            _P("Cairn Supply", "Trekking packs", "tradepath", "5%", "22.00"),
        ),
        ("Tents for weather", "Boots for the long way", "Packs under a kilo"),
    ),
    _Business(
        "Quiet Keys",
        "Keyboards and desks for people who write all day.",
        (
            _P("Lattice Boards", "Mechanical keyboards", "tradepath", "10%", "28.00"),
            _P("Uprise Desks", "Standing desks", "meridian", "24.00", "24.00"),
        ),
        ("Keyboards one can sleep next to", "Desks that go up without a sound"),
    ),
    _Business(
        "Broadband Compass",
        "Which line reaches your street, and what it costs in year two.",
        (
            _P("Northlight Fibre", "Gigabit contracts", "meridian", "35.00", "35.00", "GBP", 45),
            _P("Relay Telecom", "Mobile plans", "tradepath", "18.00", "18.00", "GBP", 45),
            _P("Hillcast", "Rural wireless", "brightleaf", "22.00", "22.00", "GBP", 45),
        ),
        ("Fibre at your address", "SIM-only, no surprises"),
    ),
    _Business(
        "Second Harvest Seeds",
        "Open-pollinated seeds and what to do in March.",
        (
            _P("Garnet Seed Co.", "Heirloom vegetables", "brightleaf", "12%", "9.00", "EUR", 60),
            _P("Fernbank Tools", "Hand tools", "meridian", "8%", "12.00", "EUR", 60),
        ),
        ("Tomatoes with names", "Spades that outlive gardeners"),
    ),
    _Business(
        "Night Train Index",
        "Sleepers across Europe, with the compartment that is worth it.",
        (
            _P("Meridian Rail Pass", "Rail passes", "meridian", "4%", "16.00", "EUR", 7),
            _P("Couchette", "Sleeper bookings", "tradepath", "5%", "14.00", "EUR", 7),
            _P("Harbour Rooms", "Hotels at stations", "brightleaf", "6%", "20.00", "EUR", 7),
        ),
        ("Passes compared", "Sleepers this summer", "Rooms near the platform"),
    ),
    _Business(
        "Ledger & Lemon",
        "Bookkeeping software for people who would rather not.",
        (
            _P("Tallybook", "Accounting, yearly", "tradepath", "30%", "60.00", "USD", 90),
            _P("Invoicer Pro", "Invoices, yearly", "meridian", "25.00", "25.00", "USD", 90),
        ),
        ("Accounts in an evening", "Invoices that get paid"),
    ),
    _Business(
        "Slow Espresso",
        "Grinders first, then machines, then opinions.",
        (
            _P("Burr & Bean", "Grinders", "meridian", "7%", "26.00"),
            _P("Casa Vapore", "Espresso machines", "brightleaf", "5%", "48.00", "USD"),
            _P("Origin Post", "Coffee subscriptions", "tradepath", "8.00", "8.00"),
        ),
        ("Grinders by the gram", "Machines with a lever", "Beans by post"),
    ),
    _Business(
        "Paws & Particulars",
        "Insurance and kibble, read to the end.",
        (
            _P("Tailguard", "Pet insurance", "tradepath", "32.00", "32.00", "GBP", 30, 400),
            _P("Kibble Club", "Food subscriptions", "meridian", "11.00", "11.00", "GBP"),
        ),
        ("What policies leave out", "Food without the rainbow"),
    ),
    _Business(
        "Homeschool Shelf",
        "Courses and kits that children finish.",
        (
            _P("Numberwise", "Maths courses", "meridian", "20%", "24.00"),
            _P("Volt Kits", "Electronics kits", "tradepath", "9%", "11.00"),
            _P("Polyglot Path", "Languages, yearly", "brightleaf", "28.00", "28.00"),
        ),
        ("Maths they ask for", "First circuits", "A language in a year"),
    ),
    _Business(
        "Velo Commuter",
        "Bikes, lights and locks for five days a week.",
        (
            _P("Canal Cycles", "City bikes", "brightleaf", "4%", "42.00", "EUR"),
            _P("Boltworks", "Locks", "meridian", "11%", "12.00", "EUR"),
            _P("Halo Lights", "Dynamo lights", "tradepath", "9%", "13.00", "EUR"),
        ),
        ("Bikes that carry shopping", "Locks, tried with a grinder"),
    ),
    _Business(
        "Tempo Studio",
        "Interfaces, monitors and microphones for small rooms.",
        (
            _P("Signal House", "Audio interfaces", "meridian", "5%", "21.00"),
            _P("Plugin Bazaar", "Plug-ins", "tradepath", "15%", "30.00"),
        ),
        ("Interfaces without hiss", "Plug-ins worth their price"),
    ),
    _Business(
        "Reading Lamp",
        "Audiobooks, e-readers and the lamp itself.",
        (
            _P("Spoken Shelf", "Audiobook trials", "tradepath", "7.50", "7.50"),
            _P("Inkwell", "E-readers", "meridian", "3%", "9.00"),
            _P("Lumen & Oak", "Reading lamps", "brightleaf", "10%", "19.00"),
        ),
        ("A month of listening", "Readers in sunlight", "Lamps that do not glare"),
    ),
    _Business(
        "Host Atlas",
        "Web hosting, by what support answers at three in the morning.",
        (
            _P("Granite Host", "Managed servers", "meridian", "65.00", "65.00", "USD", 60),
            _P("Nimbus Yard", "Virtual servers", "tradepath", "20%", "55.00", "USD", 60),
            _P("Staticly", "Static sites", "brightleaf", "12.00", "12.00", "USD", 60),
        ),
        ("Managed, with humans", "Servers by the hour", "A page that stays up"),
    ),
    _Business(
        "Fit for Forty",
        "Shoes, bands and programmes for joints with history.",
        (
            _P("Softstride", "Running shoes", "brightleaf", "8%", "15.00", "EUR"),
            _P("Bandwagon", "Resistance bands", "tradepath", "13%", "7.00", "EUR"),
        ),
        ("Shoes for bad knees", "Strength without iron"),
    ),
    _Business(
        "Blanket Coverage",
        "Bedding by weight, weave and honest washing.",
        (
            _P("Loom & Down", "Duvets", "meridian", "9%", "32.00", "GBP"),
            _P("Threadcount", "Linen sheets", "tradepath", "11%", "24.00", "GBP"),
        ),
        ("Duvets by season", "Linen that softens"),
    ),
    _Business(
        "Lens Locker",
        "Used glass and new bodies, with sample pictures.",
        (
            _P("Aperture Exchange", "Used lenses", "tradepath", "4%", "38.00"),
            _P("Fieldframe", "Camera bags", "meridian", "10%", "21.00"),
            _P("Printhaus", "Photo books", "brightleaf", "14%", "13.00", "USD"),
        ),
        ("Glass with a past", "Bags that look like none", "Your year on paper"),
    ),
    _Business(
        "Solar Sums",
        "Panels and batteries, with the arithmetic shown.",
        (
            _P("Rooftop Union", "Installation quotes", "meridian", "80.00", "80.00", "EUR", 90, 300),
            _P("Balcony Watt", "Balcony panels", "brightleaf", "6%", "36.00", "EUR", 60),
        ),
        ("Quotes from three roofers", "Panels for balconies"),
    ),
    _Business(
        "Toybox Audit",
        "Toys that are played with in the third week.",
        (
            _P("Block & Beam", "Building sets", "tradepath", "8%", "16.00"),
            _P("Meeple Market", "Board games", "meridian", "9%", "10.00"),
            _P("Puddle Jump", "Outdoor toys", "brightleaf", "11%", "14.00"),
        ),
        ("Blocks for years", "Games for four", "Things for puddles"),
    ),
    _Business(
        "Passport Pages",
        "Travel insurance, luggage and data plans that start on landing.",
        (
            _P("Safe Passage", "Travel insurance", "tradepath", "14%", "27.00", "USD", 14),
            _P("Roam Wire", "Travel data", "meridian", "10%", "6.00", "USD", 14),
            _P("Carryall", "Cabin luggage", "brightleaf", "8%", "29.00", "USD", 14),
        ),
        ("Insurance, read aloud", "Data on landing", "Bags that fit the frame"),
    ),
)


def _slug(text: str) -> str:
    words = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower()).split()
    return "-".join(words)[:40].rstrip("-")


def _settings(business: _Business) -> AffiliateMarketingSettings:
    offers = {
        _slug(programme.merchant): Offer(
            merchant=programme.merchant,
            title=programme.title,
            network=programme.network,
            destination=FarPath(f"network.{programme.network}", f"/m/{{instance}}/{_slug(programme.merchant)}"),
            click_parameter=_PARAMETERS[programme.network],
            commission=programme.commission,
            max_commission=programme.max_commission,
            currency=programme.currency,
            window_hours=programme.window_days * 24,
            cap=Cap(day=programme.cap_day),
        )
        for programme in business.programmes
    }
    names = list(offers)
    # The first campaign finds the best of all by trying; each further one is about one merchant.
    campaigns = {"best": Campaign(f"{business.title}: our pick", tuple(names), sub_ids=_SUB_IDS)}
    campaigns |= {
        name: Campaign(offers[name].title, (name,), fallback=names[0], sub_ids=_SUB_IDS) for name in names[1:]
    }
    on = ["best", *names[1:], *["best"] * len(business.links)]
    links = {_slug(title): Link(on[place], title) for place, title in enumerate(business.links)}
    used = {programme.network for programme in business.programmes}
    return AffiliateMarketingSettings(
        title=business.title,
        tagline=business.tagline,
        networks={name: network for name, network in NETWORKS.items() if name in used},
        offers=offers,
        campaigns=campaigns,
        links=links,
        # The paper world's orders are reported within minutes.
        rotation=RotationTuning(delay_hours=0.05, half_life_days=1.0),
    )


def blueprint(n: int) -> Sequence[AffiliateMarketingSettings]:
    """Return n distinct agencies.

    Raises:
        ValueError: n is not from 0 to `MAX_SETTINGS`.
    """
    if not 0 <= n <= MAX_SETTINGS:
        raise ValueError(f"there are blueprints for 0 to {MAX_SETTINGS} instances, not for {n}")
    return [_agency(number) for number in range(n)]


def _agency(number: int) -> AffiliateMarketingSettings:
    made, variation = _settings(_BUSINESSES[number % len(_BUSINESSES)]), number // len(_BUSINESSES)
    if not variation:
        return made
    around, region = divmod(variation - 1, len(_REGIONS))
    place = f"{_REGIONS[region]} {around + 1}" if around else _REGIONS[region]
    return msgspec.structs.replace(made, title=f"{made.title} · {place}")
