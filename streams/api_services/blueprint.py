"""The businesses that an unconfigured fleet runs: twenty made by hand, and regional variations of them.

Every one sells the IBAN check, so that any instance can be tried with the same request. The default plan of each
is billed by use and wide enough for a load test; trials and prepaid plans are there to be asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from streams.api_services.settings import ApiServicesSettings
from streams.metering.plan import Plan

MAX_SETTINGS: Final = 10_000
_PLACES: Final = Decimal("0.000001")


def _trial(quota: int, credit: str) -> Plan:
    return Plan(rate_per_s=5, burst=20, quota=quota, credit=credit, description="To try it out.")


def _metered(rate_per_s: float, burst: int, quota: int | None = None) -> Plan:
    return Plan(rate_per_s=rate_per_s, burst=burst, quota=quota, description="Pay for what you use.")


def _prepaid(credit: str, rate_per_s: float = 50) -> Plan:
    return Plan(
        rate_per_s=rate_per_s, burst=int(rate_per_s) * 4, credit=credit, description="Paid in advance, never more."
    )


def _business(
    title: str, tagline: str, products: dict[str, str], default_plan: str, plans: dict[str, Plan]
) -> ApiServicesSettings:
    return ApiServicesSettings(title=title, tagline=tagline, products=products, plans=plans, default_plan=default_plan)


BUSINESSES: Final[tuple[ApiServicesSettings, ...]] = (
    _business(
        "Ledgerline Bank Checks",
        "Bank details that are right before the payment leaves.",
        {"iban": "0.002", "bic": "0.002", "vat": "0.003"},
        "payments",
        {"trial": _trial(1_000, "2.00"), "payments": _metered(1_000, 4_000), "prepaid": _prepaid("50.00")},
    ),
    _business(
        "Invoice Guard",
        "Every field of a European invoice checked before it is booked.",
        {"vat": "0.004", "iban": "0.0025", "email": "0.001", "workdays": "0.0015"},
        "accounting",
        {"starter": _trial(500, "2.50"), "accounting": _metered(600, 3_000, 2_000_000)},
    ),
    _business(
        "Securities Desk",
        "Identifiers of securities and counterparties, checked in a millisecond.",
        {"securities": "0.005", "iban": "0.003", "bic": "0.003", "workdays": "0.002"},
        "desk",
        {"desk": _metered(800, 3_000), "firm": _metered(3_000, 12_000), "evaluation": _trial(200, "1.00")},
    ),
    _business(
        "Clean Contacts",
        "Phone numbers and addresses that reach someone.",
        {"phone": "0.0015", "email": "0.0008", "domain": "0.0005", "similarity": "0.0004", "iban": "0.002"},
        "crm",
        {"free": _trial(2_000, "1.50"), "crm": _metered(1_500, 5_000), "bulk": _prepaid("200.00", 400)},
    ),
    _business(
        "Booktrade Numbers",
        "ISBN and EAN for shops, libraries and publishers.",
        {"isbn": "0.0006", "gtin": "0.0006", "barcode": "0.002", "iban": "0.0018"},
        "shop",
        {"library": _trial(5_000, "3.00"), "shop": _metered(500, 2_500, 3_000_000)},
    ),
    _business(
        "Labelworks",
        "QR codes and barcodes, drawn to the standard.",
        {"qr": "0.003", "barcode": "0.0025", "gtin": "0.0005", "iban": "0.002"},
        "print",
        {"proof": _trial(300, "1.00"), "print": _metered(500, 2_000), "factory": _metered(2_500, 10_000)},
    ),
    _business(
        "Plain Page",
        "The article without the page around it.",
        {"readable": "0.004", "metadata": "0.0015", "sanitize": "0.001", "iban": "0.002"},
        "reader",
        {"sample": _trial(250, "1.00"), "reader": _metered(500, 2_000, 1_000_000)},
    ),
    _business(
        "Linkpeek",
        "Previews for the links that people share.",
        {"metadata": "0.0012", "domain": "0.0004", "useragent": "0.0003", "qr": "0.002", "iban": "0.0022"},
        "social",
        {"social": _metered(1_200, 5_000), "hobby": _prepaid("5.00", 10)},
    ),
    _business(
        "Safe Comments",
        "What strangers write, made safe to show.",
        {"sanitize": "0.0008", "markdown": "0.0012", "slug": "0.0002", "email": "0.0009", "iban": "0.002"},
        "forum",
        {"forum": _metered(700, 3_000), "network": _metered(4_000, 16_000), "test": _trial(1_000, "0.80")},
    ),
    _business(
        "Docs Press",
        "From Markdown to a page, from two versions to what changed.",
        {"markdown": "0.001", "diff": "0.0008", "slug": "0.0002", "readable": "0.0045", "iban": "0.0021"},
        "team",
        {"solo": _prepaid("10.00", 20), "team": _metered(500, 2_000, 500_000)},
    ),
    _business(
        "Cron Clock",
        "When it runs next, in every time zone.",
        {"cron": "0.0006", "timezone": "0.0004", "workdays": "0.001", "iban": "0.002"},
        "ops",
        {"ops": _metered(900, 4_000), "trial": _trial(3_000, "1.20")},
    ),
    _business(
        "Deadline Desk",
        "Working days and holidays of more than 200 countries.",
        {"workdays": "0.0018", "holidays": "0.002", "timezone": "0.0005", "iban": "0.0024"},
        "legal",
        {"intern": _trial(400, "0.90"), "legal": _metered(500, 2_000), "court": _metered(1_000, 4_000, 4_000_000)},
    ),
    _business(
        "Contract First",
        "Documents that keep to their schema, and proof when they do not.",
        {"jsonschema": "0.0015", "diff": "0.0009", "cron": "0.0007", "iban": "0.0019"},
        "build",
        {"build": _metered(1_000, 4_000), "classroom": _trial(600, "0.75")},
    ),
    _business(
        "Agent Lens",
        "Who comes to your site, and from which domain.",
        {"useragent": "0.0002", "domain": "0.0003", "email": "0.0007", "iban": "0.0023"},
        "analytics",
        {"analytics": _metered(2_000, 8_000), "log-replay": _prepaid("100.00", 1_000)},
    ),
    _business(
        "Legible",
        "Colours that everyone can read, pages that everyone can use.",
        {"contrast": "0.0005", "readable": "0.0042", "metadata": "0.0014", "iban": "0.002"},
        "studio",
        {"student": _trial(2_000, "1.10"), "studio": _metered(500, 2_500)},
    ),
    _business(
        "Waypoint",
        "Distances, time zones and holidays for people who ship.",
        {"distance": "0.0004", "timezone": "0.0005", "holidays": "0.0017", "gtin": "0.0005", "iban": "0.002"},
        "dispatch",
        {"dispatch": _metered(1_500, 6_000), "courier": _prepaid("25.00", 40)},
    ),
    _business(
        "Same Person",
        "Duplicates found before they are mailed twice.",
        {"similarity": "0.0003", "email": "0.0008", "phone": "0.0013", "slug": "0.0001", "iban": "0.0026"},
        "dedupe",
        {"dedupe": _metered(2_500, 10_000), "pilot": _trial(10_000, "4.00")},
    ),
    _business(
        "Onboard",
        "The checks of a sign-up form in one place.",
        {"email": "0.0011", "phone": "0.0016", "iban": "0.0028", "vat": "0.0035", "useragent": "0.0003"},
        "signup",
        {"signup": _metered(800, 3_500), "beta": _trial(800, "1.60"), "launch": _prepaid("75.00", 150)},
    ),
    _business(
        "Marketplace Kit",
        "Listings with clean titles, true numbers and labels that scan.",
        {
            "gtin": "0.0007",
            "isbn": "0.0007",
            "slug": "0.0002",
            "barcode": "0.0022",
            "qr": "0.0028",
            "iban": "0.002",
        },
        "seller",
        {"seller": _metered(600, 2_500), "marketplace": _metered(5_000, 20_000), "first": _trial(1_500, "1.80")},
    ),
    _business(
        "Toolbox",
        "A little of everything for prototypes and weekends.",
        {
            "iban": "0.003",
            "qr": "0.004",
            "markdown": "0.002",
            "cron": "0.001",
            "contrast": "0.001",
            "jsonschema": "0.002",
            "distance": "0.001",
            "similarity": "0.001",
        },
        "maker",
        {"maker": _metered(500, 2_000, 100_000), "weekend": _prepaid("3.00", 5)},
    ),
)

_REGIONS: Final = (
    ("Nordics", "EUR"),
    ("United Kingdom", "GBP"),
    ("North America", "USD"),
    ("DACH", "EUR"),
    ("Iberia", "EUR"),
    ("Benelux", "EUR"),
    ("Latin America", "USD"),
    ("Baltics", "EUR"),
    ("Ireland", "EUR"),
    ("Oceania", "USD"),
    ("France", "EUR"),
    ("Italy", "EUR"),
    ("Southeast Asia", "USD"),
    ("Central Europe", "EUR"),
    ("Gulf", "USD"),
    ("Africa", "USD"),
    ("Channel Islands", "GBP"),
    ("Balkans", "EUR"),
    ("India", "USD"),
    ("Japan", "USD"),
)
_PERCENT: Final = (100, 85, 120, 95, 110, 90, 130, 105, 80)


def blueprint(n: int) -> Sequence[ApiServicesSettings]:
    """Return the settings of n different businesses, the same for every call; the first 20 are made by hand.

    Raises:
        ValueError: n is negative or above `MAX_SETTINGS`.
    """
    if not 0 <= n <= MAX_SETTINGS:
        raise ValueError(f"there are from 0 to {MAX_SETTINGS} businesses, not {n}")
    return tuple(_numbered(index) for index in range(n))


def _numbered(index: int) -> ApiServicesSettings:
    round_number, place = divmod(index, len(BUSINESSES))
    business = BUSINESSES[place]
    return business if round_number == 0 else _variation(business, round_number - 1)


def _variation(business: ApiServicesSettings, number: int) -> ApiServicesSettings:
    """Return a business for a region, at that region's prices; past the last region come further offices."""
    office, place = divmod(number, len(_REGIONS))
    region, asset = _REGIONS[place]
    percent = _PERCENT[number % len(_PERCENT)]
    return ApiServicesSettings(
        title=f"{business.title} {region}" + (f" {office + 1}" if office else ""),
        tagline=business.tagline,
        products={name: _scaled(price, percent) for name, price in business.products.items()},
        plans={
            name: Plan(
                rate_per_s=plan.rate_per_s,
                burst=plan.burst,
                quota=plan.quota * percent // 100 if plan.quota is not None else None,
                credit=plan.credit,
                description=plan.description,
            )
            for name, plan in business.plans.items()
        },
        default_plan=business.default_plan,
        asset=asset,
    )


def _scaled(price: str, percent: int) -> str:
    scaled = (Decimal(price) * percent / 100).quantize(_PLACES, rounding=ROUND_HALF_UP)
    return format(scaled.normalize(), "f")
