"""What becomes of a visit to a merchant: whether somebody buys, and what the network says of it, and how badly.

Decided by a seed alone. Most orders go well; some are cancelled, refunded or taken back, some are told late, twice or
in the wrong order, and some of what is sent is forged. What takes months in the world happens within minutes here.
"""

from __future__ import annotations

import random
from typing import Final, Literal, TypeAlias

import msgspec

Defect: TypeAlias = Literal["none", "twice", "bad_signature", "stale", "foreign_click", "too_much", "malformed"]

BUYS: Final = 0.3
"""How many of those who come to a merchant's page buy."""


class Saying(msgspec.Struct, frozen=True):
    """One thing that a network says of an order.

    Attributes:
        after_s: When it is sent, seconds after the order.
        status: What it says.
        percent: How much of the commission it speaks of.
        since_s: Since when it says that it is so, seconds after the order; where it differs from when it is sent.
        source: Who saw it.
        defect: What is wrong with the message.
    """

    after_s: float
    status: str
    percent: int = 100
    since_s: float | None = None
    source: Literal["server", "pixel"] = "server"
    defect: Defect = "none"


Story: TypeAlias = tuple[Saying, ...]


def buys(seed: str) -> bool:
    """Return whether the visitor of a merchant's page buys."""
    return random.Random(f"buys/{seed}").random() < BUYS  # noqa: S311 - a repeatable visitor, not a secret


def story_of(seed: str) -> Story:
    """Return all that a network will say of an order."""
    rng = random.Random(f"story/{seed}")  # noqa: S311 - a repeatable order, not a secret
    (name,) = rng.choices(list(_STORIES), weights=[weight for weight, _ in _STORIES.values()])
    _, told = _STORIES[name]
    # No two orders are told at the same pace.
    pace = rng.uniform(0.6, 1.6)
    return tuple(
        msgspec.structs.replace(
            saying, after_s=saying.after_s * pace, since_s=None if saying.since_s is None else saying.since_s * pace
        )
        for saying in told
    )


_STORIES: Final[dict[str, tuple[int, Story]]] = {
    "quick": (40, (Saying(1.5, "pending"), Saying(6, "approved"), Saying(45, "paid"))),
    "usual": (22, (Saying(2, "pending"), Saying(60, "approved"), Saying(300, "paid"))),
    "less than expected": (4, (Saying(2, "pending"), Saying(20, "approved", 80), Saying(90, "paid", 80))),
    "cancelled": (6, (Saying(2, "pending"), Saying(25, "cancelled"))),
    "taken back": (4, (Saying(2, "pending"), Saying(10, "approved"), Saying(80, "reversed"))),
    "refunded": (4, (Saying(2, "pending"), Saying(8, "approved"), Saying(40, "paid"), Saying(120, "refunded", 50))),
    "fraud": (2, (Saying(2, "pending"), Saying(12, "fraud"))),
    "duplicate": (2, (Saying(2, "pending"), Saying(9, "duplicate"))),
    "on hold": (3, (Saying(2, "pending"), Saying(8, "hold"), Saying(70, "approved"))),
    "wrong way round": (4, (Saying(2, "approved", since_s=2), Saying(7, "pending", since_s=0))),
    "told twice": (4, (Saying(2, "pending", defect="twice"), Saying(12, "approved", defect="twice"))),
    "reversal first": (2, (Saying(2, "reversed", since_s=9), Saying(8, "approved", since_s=5))),
    "pixel and server": (3, (Saying(1, "pending", 90, source="pixel"), Saying(4, "pending"), Saying(20, "approved"))),
    "forged": (3, (Saying(2, "approved", defect="bad_signature"),)),
    "replayed late": (1, (Saying(2, "pending"), Saying(15, "approved", defect="stale"))),
    "another's click": (2, (Saying(2, "approved", defect="foreign_click"),)),
    "far too much": (2, (Saying(2, "approved", defect="too_much"),)),
    "nonsense": (1, (Saying(2, "pending", defect="malformed"),)),
}
