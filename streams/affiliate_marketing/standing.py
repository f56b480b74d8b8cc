"""How an order stands, by all that was ever said about it.

Postbacks come late, twice and in any order, so an order's standing is a function of the *set* of claims and
never of how they came: the same claims in any order end in the same state and the same money.

- A server's claim beats a pixel's: pixels are blocked, fired twice, and made up. Where a server has spoken of an
  order, pixels are not heard; where none has, a pixel makes an order pending and no more.
- Of pending, approved and paid, the furthest counts, with the amount last said of it.
- Reversed, cancelled, fraud and duplicate are for good: nothing is earned, whatever else is said, and whenever.
- A refund takes from the amount that was said before it; one said later has it in already.
- What was paid was paid. Later claims change what is earned, by lines of their own, and never the payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from streams.affiliate_marketing.claim import Claim, Status

OrderState: TypeAlias = Status | Literal["unknown"]

_LEVELS: Final = {"hold": 1, "pending": 1, "approved": 2, "paid": 3}
_DEAD: Final = frozenset({"reversed", "cancelled", "fraud", "duplicate"})


class Standing(msgspec.Struct, frozen=True):
    """How an order stands.

    Attributes:
        state: In a word.
        expected: What may be earned yet, units.
        earned: What is earned, units.
        paid: What the network has paid, units. More than `earned` where it will take something back.
    """

    state: OrderState
    expected: int = 0
    earned: int = 0
    paid: int = 0


def standing_of(claims: Iterable[Claim]) -> Standing:
    """Return how an order stands by these claims, in whatever order they come."""
    said = sorted({_identity(claim): claim for claim in claims}.values(), key=_identity)
    if any(claim.source != "pixel" for claim in said):
        said = [claim for claim in said if claim.source != "pixel"]
    else:
        said = [_no_more_than_pending(claim) for claim in said]
    paid = max((claim.units for claim in said if claim.status == "paid"), default=0)
    dead = [claim for claim in said if claim.status in _DEAD]
    if dead:
        return Standing(dead[-1].status, paid=paid)
    steps = [claim for claim in said if claim.status in _LEVELS]
    if not steps:
        return Standing("refunded" if said else "unknown")
    level = max(_LEVELS[claim.status] for claim in steps)
    decisive = [claim for claim in steps if _LEVELS[claim.status] == level][-1]
    taken_back = sum(
        claim.units for claim in said if claim.status == "refunded" and claim.occurred_at >= decisive.occurred_at
    )
    left = max(0, decisive.units - taken_back)
    state: OrderState = "refunded" if taken_back and not left else decisive.status
    if level == 1:
        return Standing(state, expected=left)
    return Standing(state, earned=left, paid=paid)


def _identity(claim: Claim) -> tuple[datetime, int, str, str]:
    """Return what tells claims apart: the same thing said twice is said once. Sorts by time."""
    return (claim.occurred_at, claim.units, claim.status, claim.source)


def _no_more_than_pending(claim: Claim) -> Claim:
    if claim.source != "pixel" or claim.status not in ("approved", "paid"):
        return claim
    return msgspec.structs.replace(claim, status="pending")
