"""What makes one instance a site of its own: its topic, its sponsors' contracts and its members' prices."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from streams.content_monetization.article import writable
from streams.content_monetization.contract import SponsorContract, check_money
from streams.metering.plan import Plan, PlanName, check_plans
from streams.money import AmountError, UnknownAssetError, asset_of, parse_amount

Topic = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9-]*)?$", max_length=48)]

_MAX_CONTRACTS: Final = 200


class ContentMonetizationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of an instance; making one validates it.

    Attributes:
        title: The site's name.
        tagline: What it is about, in a line.
        topic: Which of the shipped starter articles it begins with; none where empty. Its own articles are the
            files `content/*.md` of its directory.
        author: Who answers for the text, where an article does not say.
        language: The language of the text, as in `<html lang>`.
        base_url: Where readers reach it, `https://www.site.org`; where empty, the address it listens on.
        accent_hue: The colour of links, degrees on the colour wheel.
        page_size: Articles on a page of the index.
        asset: The currency of all amounts.
        contracts: The sponsors' signed contracts.
        ads_txt: Further lines of `/ads.txt`: the networks that may sell here (IAB ads.txt).
        plans: The members' plans by name.
        default_plan: The plan of a key that is made without naming one.
        article_price: What a member pays for an article, once, decimal text.
        what_if_cpm: The price per 1,000 impressions of the estimate that operators see; an estimate is never booked.
        first_statement_s: How soon the first statement follows the first impression, seconds; the next waits twice
            as long, and so on.
        statement_interval_s: The longest wait between statements, seconds.
        view_after_s: How long a slot must have been in view for an impression.
        view_life_s: How long a rendered slot can become an impression.
        click_life_s: How long after its impression a click counts.
        visitor_views_minute: Impressions of one visitor in a minute; more is no person.
        behind_proxy: Whether the last address of X-Forwarded-For is the visitor's: only where a proxy of yours
            sets it.
        data_centres: Networks whose traffic is not billable, `203.0.113.0/24`.
        datasets: How many harvested datasets become articles; 0 for none.
        dataset_names: Which; any where empty.
        affiliate_links: How many affiliate links an article carries; 0 for none.
        source_interval_s: How often datasets, links and files are looked for.

    Raises:
        ValueError: A value does not make sense; says which, and what would (msgspec's decoder raises it as a
            `ValidationError` with the path).
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    tagline: Annotated[str, msgspec.Meta(max_length=200)]
    topic: Topic = ""
    author: Annotated[str, msgspec.Meta(min_length=1, max_length=80)] = "The editors"
    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    base_url: str = ""
    accent_hue: Annotated[int, msgspec.Meta(ge=0, le=359)] = 215
    page_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    asset: str = "USD"
    contracts: tuple[SponsorContract, ...] = ()
    ads_txt: tuple[Annotated[str, msgspec.Meta(max_length=300, pattern=r"^[^\r\n]*$")], ...] = ()
    plans: dict[PlanName, Plan]
    default_plan: str
    article_price: str = "0.05"
    what_if_cpm: str = "2.00"
    first_statement_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 3.0
    statement_interval_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 120.0
    view_after_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 1.0
    view_life_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 900.0
    click_life_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 3600.0
    visitor_views_minute: Annotated[int, msgspec.Meta(ge=1)] = 60
    behind_proxy: bool = False
    data_centres: tuple[str, ...] = ()
    datasets: Annotated[int, msgspec.Meta(ge=0, le=20)] = 1
    dataset_names: tuple[str, ...] = ()
    affiliate_links: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    source_interval_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0

    def __post_init__(self) -> None:
        try:
            asset_of(self.asset)
        except UnknownAssetError as error:
            raise ValueError(f"asset: {error}") from None
        for field, text in (("title", self.title), ("tagline", self.tagline), ("author", self.author)):
            if writable(text) != text:
                raise ValueError(f"{field}: has a control character, which no feed can hold; leave it out")
        self._check_contracts()
        check_plans(self.plans, self.default_plan, self.asset)
        for field, amount in (("article_price", self.article_price), ("what_if_cpm", self.what_if_cpm)):
            self._check_price(field, amount)
        if self.base_url:
            _check_base_url(self.base_url)
        for network in self.data_centres:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"data_centres: {error}; write 203.0.113.0/24") from None
        if self.first_statement_s > self.statement_interval_s:
            raise ValueError(f"first_statement_s: at most statement_interval_s, {self.statement_interval_s:g}")
        if self.view_after_s >= self.view_life_s:
            raise ValueError(f"view_after_s: must be below view_life_s, {self.view_life_s:g}")

    def article_units(self) -> int:
        """Return what a member pays for an article, units."""
        return parse_amount(self.article_price, self.asset)

    def _check_contracts(self) -> None:
        if len(self.contracts) > _MAX_CONTRACTS:
            raise ValueError(f"contracts: at most {_MAX_CONTRACTS}, not {len(self.contracts)}")
        seen = set()
        for contract in self.contracts:
            if contract.id in seen:
                raise ValueError(f"contracts: there are two with the id {contract.id!r}; an id names one for ever")
            seen.add(contract.id)
            try:
                check_money(contract, self.asset)
            except ValueError as error:
                raise ValueError(f"contracts: {contract.id}: {error}") from None

    def _check_price(self, field: str, amount: str) -> None:
        try:
            units = parse_amount(amount, self.asset)
        except AmountError as error:
            raise ValueError(f"{field}: {error}") from None
        if units < 0:
            raise ValueError(f"{field}: a price is not negative, but {amount} is")


def _check_base_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"base_url: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or url.endswith("/"):
        raise ValueError(f"base_url: write https://www.site.org, without a slash at the end, not {url[:80]!r}")
