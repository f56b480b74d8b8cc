"""What an operator may ask of an instance, and what they see of the answer."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from streams.affiliate_marketing.order_store import Order, Postback
from streams.money import format_amount

Limit = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class ImportStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Compare a network's statement with our orders, and settle what it says is paid and agrees.

    Attributes:
        network: Whose statement.
        csv: The file's content.
    """

    network: str
    csv: str


class ListOrders(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Show orders, the latest first.

    Attributes:
        network: Of this network only.
        limit: How many.
    """

    network: str | None = None
    limit: Limit = 50


class ListQuarantine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Show what is in quarantine, oldest first.

    Attributes:
        limit: How many.
    """

    limit: Limit = 50


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Accept a postback that is in quarantine: it is booked.

    Attributes:
        postback: Its number.
        offer: The offer that it belongs to, where its click does not say.
    """

    postback: int
    offer: str | None = None


class Dismiss(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put a postback in quarantine aside for good.

    Attributes:
        postback: Its number.
        reason: Why, for people.
    """

    postback: int
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class PostbackAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Show where a network is to report an offer's orders.

    Attributes:
        network: The network.
        offer: The offer; needed for networks that cannot sign.
    """

    network: str
    offer: str | None = None


def show_order(order: Order) -> dict[str, Any]:
    """Return what an operator sees of an order."""
    standing, why = order.standing, order.attribution
    return {
        "network": order.network,
        "order_id": order.order_id,
        "state": standing.state,
        "expected": format_amount(standing.expected, order.currency),
        "earned": format_amount(standing.earned, order.currency),
        "paid": format_amount(standing.paid, order.currency),
        "currency": order.currency,
        "ordered_at": order.ordered_at,
        "attribution": msgspec.to_builtins(why, builtin_types=(type(why.clicked_at),)),
    }


def show_postback(postback: Postback) -> dict[str, Any]:
    """Return what an operator sees of a postback."""
    claim = postback.claim
    return {
        "postback": postback.number,
        "network": postback.network,
        "id": postback.id,
        "received_at": postback.received_at,
        "verdict": postback.verdict,
        "reason": postback.doubt,
        "detail": postback.detail,
        "claim": None
        if claim is None
        else {
            "order_id": claim.order_id,
            "click_id": claim.click_id,
            "status": claim.status,
            "commission": format_amount(claim.units, claim.currency),
            "currency": claim.currency,
            "ordered_at": claim.ordered_at,
            "source": claim.source,
        },
    }
