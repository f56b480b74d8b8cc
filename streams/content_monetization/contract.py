"""A sponsor's contract, as an instance's settings say it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from streams.money import AmountError, parse_amount

Kind: TypeAlias = Literal["fixed", "cpm", "cpc"]
Period: TypeAlias = Literal["hour", "day", "week", "month"]
SlotName: TypeAlias = Literal["lead", "inline", "foot"]
"""Where a sponsor may stand on a page: above the text, within it, below it."""

SLOTS: Final[tuple[SlotName, ...]] = ("lead", "inline", "foot")

# Names that no one can own (RFC 2606, RFC 6761): whoever advertises them is of the paper world.
_RESERVED: Final = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")
_MAX_URL_CHARS: Final = 1000


class SponsorContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sponsor has signed: where they stand, and what they pay for.

    Attributes:
        id: Its name, for ever: its statements carry it.
        sponsor: Who pays.
        kind: `fixed` pays for each period in which readers saw it, `cpm` per 1,000 billable impressions, `cpc`
            per billable click.
        rate: The price, decimal text in the settings' asset: per period, per 1,000 impressions, or per click.
        destination: Where its link leads; the only address that a click is ever sent to.
        headline: The link's text.
        text: A line below it.
        starts: From when it holds, with its offset from UTC.
        ends: Until when; None until it is ended.
        period: What `fixed` pays for.
        slots: Where it may stand.
        budget: The most that it pays in all; None for no limit.
        daily_budget: The most that it pays in a day, UTC; None for no limit.
        pacing: `even` spreads a budget over the contract, and a daily budget over the day.
        visitor_daily: How often a visitor sees it in a day; None for no limit.
        priority: The higher goes first; equals take turns.
        weight: How many turns it has among equals.

    Raises:
        ValueError: A value does not make sense; says which, and what would.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=48)]
    sponsor: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    kind: Kind
    rate: str
    destination: str
    headline: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    starts: datetime
    ends: datetime | None = None
    period: Period = "month"
    slots: tuple[SlotName, ...] = SLOTS
    budget: str | None = None
    daily_budget: str | None = None
    pacing: Literal["even", "none"] = "even"
    visitor_daily: Annotated[int, msgspec.Meta(ge=1)] | None = None
    priority: int = 0
    weight: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1

    def __post_init__(self) -> None:
        if self.starts.tzinfo is None or (self.ends is not None and self.ends.tzinfo is None):
            raise ValueError("starts, ends: write the offset from UTC, as in 2026-01-01T00:00:00Z")
        if self.ends is not None and self.ends <= self.starts:
            raise ValueError(f"ends: must be after starts, {self.starts.isoformat()}")
        if not self.slots:
            raise ValueError(f"slots: name at least one of {', '.join(SLOTS)}")
        if self.kind == "fixed" and (self.budget is not None or self.daily_budget is not None):
            raise ValueError("budget, daily_budget: a fixed contract pays by the period; give it an end instead")
        _check_destination(self.destination)

    @property
    def is_paper(self) -> bool:
        """Whether it leads to a name that no one can own; such a sponsor pays in the paper book only."""
        host = (urlsplit(self.destination).hostname or "").rstrip(".")
        return any(host == name or host.endswith(f".{name}") for name in _RESERVED)


def check_money(contract: SponsorContract, asset: str) -> None:
    """Check the amounts of a contract.

    Raises:
        ValueError: One is no positive amount of the asset; says which.
    """
    for field, amount in (
        ("rate", contract.rate),
        ("budget", contract.budget),
        ("daily_budget", contract.daily_budget),
    ):
        if amount is None:
            continue
        try:
            units = parse_amount(amount, asset)
        except AmountError as error:
            raise ValueError(f"{field}: {error}") from None
        if units <= 0:
            raise ValueError(f"{field}: must be above 0, not {amount}")


def _check_destination(url: str) -> None:
    # What stands in a Location header: no line breaks, no spaces, no user information to mislead readers with.
    if len(url) > _MAX_URL_CHARS or not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise ValueError(f"destination: at most {_MAX_URL_CHARS} ASCII characters, without spaces or line breaks")
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"destination: {error}") from None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or "\\" in url:
        raise ValueError(f"destination: write a whole address, as in https://sponsor.example/, not {url[:80]!r}")
