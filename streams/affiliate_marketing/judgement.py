"""Whether a claim may earn: what is checked of it beside who said it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import msgspec

from streams.affiliate_marketing.claim import Claim
from streams.affiliate_marketing.click import Click
from streams.affiliate_marketing.settings import Offer

Doubt: TypeAlias = Literal[
    "malformed",
    "unknown_click",
    "foreign_click",
    "unknown_offer",
    "expired_click",
    "before_click",
    "from_the_future",
    "wrong_currency",
    "above_limit",
    "not_bookable",
]
"""Why a claim is in quarantine. Each is decided by the claim, its click and the terms alone, never by other claims,
so that it does not matter which of an order's claims comes first."""

CLOCKS_APART: Final = timedelta(minutes=5)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Attribution(msgspec.Struct, frozen=True):
    """Why an order is ours.

    Attributes:
        offer: The offer that its click led to.
        code: The link that was clicked.
        clicked_at: When, UTC.
        policy: The version of the offer's terms at the click.
        window_s: How long after the click an order counted then.
    """

    offer: str
    code: str
    clicked_at: datetime
    policy: int
    window_s: int


def attribution_of(click: Click) -> Attribution:
    """Return what a click lets an order be attributed by."""
    clicked_at = _EPOCH + timedelta(microseconds=click.at_us)
    return Attribution(click.offer, click.code, clicked_at, click.policy, click.window_s)


def doubt_about(
    claim: Claim, attribution: Attribution | None, offer: Offer | None, network: str, now: datetime
) -> Doubt | None:
    """Return why a claim must not earn; None where it may.

    Args:
        claim: What was said.
        attribution: Its click's; None where the click is not known.
        offer: The terms of the click's offer; None where there is no such offer any more.
        network: Who said it.
        now: Aware UTC.
    """
    if attribution is None:
        return "unknown_click"
    if offer is None:
        return "unknown_offer"
    if offer.network != network:
        return "foreign_click"
    if max(claim.ordered_at, claim.occurred_at) > now + CLOCKS_APART:
        return "from_the_future"
    if claim.ordered_at < attribution.clicked_at - CLOCKS_APART:
        return "before_click"
    if claim.ordered_at - attribution.clicked_at > timedelta(seconds=attribution.window_s):
        return "expired_click"
    if claim.currency != offer.currency:
        return "wrong_currency"
    if claim.units > offer.max_units():
        return "above_limit"
    return None
