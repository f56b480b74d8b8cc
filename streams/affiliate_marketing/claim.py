"""What a network says about an order: the payload of a postback, or a line of a statement, made exact."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from streams.money import AmountError, UnknownAssetError, parse_amount

Status: TypeAlias = Literal[
    "pending", "approved", "paid", "refunded", "reversed", "duplicate", "fraud", "cancelled", "hold"
]
Source: TypeAlias = Literal["server", "pixel", "statement"]

MAX_ORDER_CHARS: Final = 64
TYPE_PREFIX: Final = "conversion."

OrderId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@+:/#-]*$", max_length=MAX_ORDER_CHARS)]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Claim(msgspec.Struct, frozen=True):
    """What a network says about one order, at one time.

    Attributes:
        order_id: The network's name for the order.
        click_id: The click that led to it.
        status: How it stands.
        units: The whole commission as the network sees it then; of a refund, what is taken back.
        currency: The asset of the units.
        ordered_at: When it was ordered, aware.
        occurred_at: Since when it stands so, aware.
        source: Who saw it: the merchant's server, or a pixel in the customer's browser.
    """

    order_id: str
    click_id: str
    status: Status
    units: int
    currency: str
    ordered_at: datetime
    occurred_at: datetime
    source: Source = "server"


class MalformedClaim(ValueError):
    """What was said makes no sense."""


class _Data(msgspec.Struct, frozen=True):
    order_id: OrderId
    click_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    commission: Decimal
    currency: Annotated[str, msgspec.Meta(min_length=3, max_length=8)]
    ordered_at: Instant
    source: Literal["server", "pixel"] = "server"


class _Event(msgspec.Struct, frozen=True):
    type: str
    timestamp: Instant
    data: _Data


_decode: Final = msgspec.json.Decoder(_Event).decode
_STATUSES: Final[tuple[Status, ...]] = Status.__args__  # type: ignore[attr-defined]


def claim_of(body: bytes) -> Claim:
    """Return what the body of a postback says.

    The shape is the Standard Webhooks': `{"type": "conversion.approved", "timestamp": …, "data": {"order_id",
    "click_id", "commission", "currency", "ordered_at", "source"}}`, with amounts as decimal text.

    Raises:
        MalformedClaim: It makes no sense; says where.
    """
    try:
        event = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedClaim(str(error)) from None
    data = event.data
    return make_claim(
        order_id=data.order_id,
        click_id=data.click_id,
        status=event.type.removeprefix(TYPE_PREFIX) if event.type.startswith(TYPE_PREFIX) else event.type,
        commission=str(data.commission),
        currency=data.currency,
        ordered_at=data.ordered_at,
        occurred_at=event.timestamp,
        source=data.source,
    )


def make_claim(
    *,
    order_id: str,
    click_id: str,
    status: str,
    commission: str,
    currency: str,
    ordered_at: datetime,
    occurred_at: datetime,
    source: Source,
) -> Claim:
    """Return a claim whose status and amount are known to make sense.

    Raises:
        MalformedClaim: They do not.
    """
    if status not in _STATUSES:
        raise MalformedClaim(f"there is no status {status[:40]!r}; known are {', '.join(_STATUSES)}")
    try:
        units = parse_amount(commission, currency)
    except (AmountError, UnknownAssetError) as error:
        raise MalformedClaim(str(error)) from None
    if units < 0:
        raise MalformedClaim("a commission is not negative: what is taken back is a refund")
    if not _sane(ordered_at) or not _sane(occurred_at):
        raise MalformedClaim("a time is not of this century")
    return Claim(order_id, click_id, status, units, currency, ordered_at, occurred_at, source)


def _sane(instant: datetime) -> bool:
    return 2000 <= instant.year < 2200
