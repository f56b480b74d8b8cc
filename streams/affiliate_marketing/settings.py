"""What makes one instance a business of its own: its networks, its offers, its campaigns and its links."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from streams.affiliate_marketing.caps import Cap
from streams.affiliate_marketing.destination import FarPath, check_far_path, check_parameter, check_url
from streams.affiliate_marketing.statement_format import StatementFormat
from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount

MAX_WINDOW_HOURS: Final = 24 * 365
MAX_SUB_IDS: Final = 8
MAX_LINKS: Final = 10_000

_PERCENT: Final = re.compile(r"(\d{1,2}(?:\.\d{1,2})?)\s?%")

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Title = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who tells of orders, and how one knows that it is them.

    Attributes:
        title: The name that people know.
        signing: `standard_webhooks`: every postback is signed. `secret_path`: the network cannot sign; its postbacks
            come from `addresses` to a path that is secret per offer.
        secret: The name in `.env` of the secret that postbacks are signed with, `whsec_…`; several, separated by
            spaces, while one replaces another.
        far_side: Who it is in the sandbox; its `webhook_secret` is used there.
        addresses: Where postbacks that cannot be signed come from: addresses or networks, `192.0.2.0/24`.
        fields: What such a network calls our fields, where the names differ: ours first.
        statement: What its statements look like.
    """

    title: Title
    signing: Literal["standard_webhooks", "secret_path"] = "standard_webhooks"
    secret: str = ""
    far_side: str = ""
    addresses: tuple[str, ...] = ()
    fields: dict[str, str] = {}
    statement: StatementFormat = StatementFormat()


class Offer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A merchant's programme.

    Attributes:
        merchant: Whose it is.
        title: What is sold.
        network: Who tells of its orders.
        destination: Where its links lead: a URL, or a path at a far side.
        click_parameter: The query parameter of the destination that carries the click's id.
        commission: What an order earns: a fixed amount, `12.50`, or a share of its value, `8%`.
        currency: Of the commission.
        max_commission: What no order earns more than; a claim above it is put in quarantine.
        window_hours: How long after a click an order counts as its own.
        policy: The version of these terms; make it another number when you change them.
        cap: How many clicks it takes.
        pending_days: After how many days without news a pending commission expires.
    """

    merchant: Title
    title: Title
    network: Name
    destination: str | FarPath
    click_parameter: str
    commission: str
    max_commission: str
    currency: str = "USD"
    window_hours: int = 24 * 30
    policy: int = 1
    cap: Cap = Cap()
    pending_days: int = 120

    @property
    def window_s(self) -> int:
        """How long after a click an order counts, seconds."""
        return self.window_hours * 3600

    def max_units(self) -> int:
        """Return what no order earns more than, units."""
        return parse_amount(self.max_commission, self.currency)

    def expected_units(self) -> int:
        """Return what an order should earn, for want of experience; units."""
        share = _PERCENT.fullmatch(self.commission)
        if share is None:
            return parse_amount(self.commission, self.currency)
        # Of an order of the size at which a third of the limit is reached: only a place to begin from.
        return self.max_units() // 3


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Offers that links share, the best of which is found by trying.

    Attributes:
        title: What it is about.
        offers: The offers, by name.
        fallback: The offer that clicks go to when all of these are full; none where None.
        sub_ids: What may be said about a click: the query parameter here, and its name at the destination.
    """

    title: Title
    offers: tuple[str, ...]
    fallback: str | None = None
    sub_ids: dict[str, str] = {}


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link that publishers place.

    Attributes:
        campaign: Which campaign's.
        title: What to call it.
    """

    campaign: str
    title: Title


class RotationTuning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the choice among a campaign's offers learns.

    Attributes:
        delay_hours: How long a conversion takes to be reported, typically.
        half_life_days: After which time evidence counts half.
    """

    delay_hours: float = 24.0
    half_life_days: float = 30.0


class AffiliateMarketingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of an instance; making one validates it.

    Attributes:
        title: The name of the business.
        tagline: What it recommends, in a line.
        networks: The networks by name; a postback goes to `/postback/<name>`.
        offers: The offers by name.
        campaigns: The campaigns by name.
        links: The links by code; a link is `/c/<code>`.
        rotation: How the choice among offers learns.

    Raises:
        ValueError: A value does not make sense; says which, and what would (msgspec's decoder raises it as a
            `ValidationError` with the path).
    """

    title: Title
    tagline: Annotated[str, msgspec.Meta(max_length=200)]
    networks: dict[Name, Network]
    offers: dict[Name, Offer]
    campaigns: dict[Name, Campaign]
    links: dict[Code, Link]
    rotation: RotationTuning = RotationTuning()

    def __post_init__(self) -> None:
        if not self.links:
            raise ValueError("links: name at least one")
        if len(self.links) > MAX_LINKS:
            raise ValueError(f"links: an instance has at most {MAX_LINKS}, not {len(self.links)}")
        for name, network in self.networks.items():
            _check_network(f"networks.{name}", network)
        for name, offer in self.offers.items():
            _check_offer(f"offers.{name}", offer)
            if offer.network not in self.networks:
                raise ValueError(f"offers.{name}.network: {_not_among(offer.network, self.networks, 'network')}")
        for name, campaign in self.campaigns.items():
            self._check_campaign(f"campaigns.{name}", campaign)
        for code, link in self.links.items():
            if link.campaign not in self.campaigns:
                raise ValueError(f"links.{code}.campaign: {_not_among(link.campaign, self.campaigns, 'campaign')}")
        tuning = self.rotation
        if not 0 < tuning.delay_hours <= MAX_WINDOW_HOURS or not 0 < tuning.half_life_days <= 3650:
            raise ValueError("rotation: delay_hours and half_life_days must be above 0, and of this world")

    def _check_campaign(self, field: str, campaign: Campaign) -> None:
        if not campaign.offers:
            raise ValueError(f"{field}.offers: name at least one")
        for name in campaign.offers:
            if name not in self.offers:
                raise ValueError(f"{field}.offers: {_not_among(name, self.offers, 'offer')}")
        if campaign.fallback is not None and campaign.fallback not in self.offers:
            raise ValueError(f"{field}.fallback: {_not_among(campaign.fallback, self.offers, 'offer')}")
        if len(campaign.sub_ids) > MAX_SUB_IDS:
            raise ValueError(f"{field}.sub_ids: at most {MAX_SUB_IDS}, not {len(campaign.sub_ids)}")
        reached = {*campaign.offers, campaign.fallback} - {None}
        ids = {self.offers[name].click_parameter for name in reached if name is not None}
        for here, there in campaign.sub_ids.items():
            _checked(f"{field}.sub_ids", check_parameter, here)
            _checked(f"{field}.sub_ids.{here}", check_parameter, there)
            if there in ids:
                raise ValueError(f"{field}.sub_ids.{here}: {there!r} is where an offer expects the click's id")


def _check_network(field: str, network: Network) -> None:
    if network.signing == "standard_webhooks":
        if not network.secret and not network.far_side:
            raise ValueError(f"{field}.secret: name the entry of .env that holds the signing secret")
    elif not network.addresses:
        raise ValueError(f"{field}.addresses: say where postbacks come from, for nothing else proves who sent them")
    for address in network.addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            raise ValueError(f"{field}.addresses: {error}") from None


def _check_offer(field: str, offer: Offer) -> None:
    try:
        asset_of(offer.currency)
    except UnknownAssetError as error:
        raise ValueError(f"{field}.currency: {error}") from None
    if isinstance(offer.destination, FarPath):
        _checked(f"{field}.destination", check_far_path, offer.destination)
    else:
        _checked(f"{field}.destination", check_url, offer.destination)
    _checked(f"{field}.click_parameter", check_parameter, offer.click_parameter)
    if _PERCENT.fullmatch(offer.commission) is None and _units(f"{field}.commission", offer) < 0:
        raise ValueError(f"{field}.commission: a commission is not negative, but {offer.commission!r} is")
    if _units(f"{field}.max_commission", offer, offer.max_commission) <= 0:
        raise ValueError(f"{field}.max_commission: must be above 0, not {offer.max_commission!r}")
    if not 1 <= offer.window_hours <= MAX_WINDOW_HOURS:
        raise ValueError(f"{field}.window_hours: must be from 1 to {MAX_WINDOW_HOURS}, not {offer.window_hours}")
    if not 1 <= offer.pending_days <= 3650:
        raise ValueError(f"{field}.pending_days: must be from 1 to 3650, not {offer.pending_days}")
    for name, limit in (("day", offer.cap.day), ("total", offer.cap.total)):
        if limit is not None and limit < 0:
            raise ValueError(f"{field}.cap.{name}: must be 0 or more, or null for no limit, not {limit}")


def _units(field: str, offer: Offer, amount: str | None = None) -> int:
    text = offer.commission if amount is None else amount
    try:
        return parse_amount(text, offer.currency)
    except AmountError as error:
        share = " A share is written `8%`." if amount is None else ""
        raise ValueError(f"{field}: {error}.{share}") from None


def _checked(field: str, check: object, value: object) -> None:
    assert callable(check)
    try:
        check(value)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _not_among(name: str, known: Iterable[str], kind: str) -> str:
    known = list(known)
    nearest = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    return f"there is no {kind} {name!r}; {hint}known are {', '.join(known) or 'none'}"
