"""A network of the paper world, without its port: who buys, what is said of it, and how it is signed."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

import msgspec

from streams.money import format_amount
from streams.sandbox.networks.fate import Saying, buys, story_of
from streams.sandbox.networks.network_store import Outgoing, Publisher, Terms
from streams.webhooks import sign

_CENT: Final = 10_000
_STALE_S: Final = 3600
_MAX_CLICKS_KNOWN: Final = 1000


class Network:
    """Decides what one network does.

    Args:
        name: The network's.
        seed: What decides.
        now: The time, aware UTC.
    """

    def __init__(self, name: str, seed: int, now: Callable[[], datetime]) -> None:
        self._name = name
        self._seed = f"{seed}/{name}"
        self._now = now
        self._clicks: dict[str, str] = {}
        self._visits: Counter[str] = Counter()

    def visit(
        self, publisher_name: str, publisher: Publisher, offer: str, click_id: str, orders: int
    ) -> list[tuple[float, Outgoing]]:
        """Return what will be told of a visit, and when, seconds since 1970; nothing where nobody buys.

        Args:
            publisher_name: Who sent the visitor.
            publisher: Their terms.
            offer: What the visitor looks at.
            click_id: The click that brought them.
            orders: How many orders the publisher has brought before.
        """
        seed = f"{self._seed}/{publisher_name}/{orders}/{self._note_visit(publisher_name, click_id)}"
        # A publisher's first visitor buys: that is how networks try a new link.
        if orders and not buys(seed):
            return []
        now = self._now()
        order_id = blake2b(f"{seed}/{now.isoformat()}".encode(), digest_size=8).hexdigest().upper()
        terms = publisher.offers[offer]
        units = _commission(terms, seed)
        messages: list[tuple[float, Outgoing]] = []
        for place, saying in enumerate(story_of(seed) if orders else story_of_first()):
            said = Outgoing(
                publisher=publisher_name,
                webhook_id=f"{self._name}_{order_id}_{place}",
                body=self._body(saying, publisher_name, order_id, click_id, units, terms, now),
                defect=saying.defect,
            )
            due_s = now.timestamp() + saying.after_s
            messages += [(due_s, said), (due_s + 1.0, said)] if saying.defect == "twice" else [(due_s, said)]
        return messages

    def headers(self, outgoing: Outgoing, key: bytes) -> dict[str, str]:
        """Return the headers with which a postback is sent now, its defect included."""
        timestamp_s = int(self._now().timestamp()) - (_STALE_S if outgoing.defect == "stale" else 0)
        signing = secrets.token_bytes(32) if outgoing.defect == "bad_signature" else key
        return {
            "content-type": "application/json",
            "user-agent": f"{self._name}-postbacks/1.0",
            "webhook-id": outgoing.webhook_id,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(signing, outgoing.webhook_id, timestamp_s, outgoing.body.encode()),
        }

    def _note_visit(self, publisher: str, click_id: str) -> int:
        """Remember a click, for it may be reported as another's; return which visit of the publisher's this is."""
        if len(self._clicks) >= _MAX_CLICKS_KNOWN:
            del self._clicks[next(iter(self._clicks))]
        self._clicks[click_id] = publisher
        self._visits[publisher] += 1
        return self._visits[publisher]

    def _foreign_click(self, publisher: str, order_id: str) -> str:
        foreign = [click for click, other in self._clicks.items() if other != publisher]
        return foreign[-1] if foreign else order_id.lower().ljust(22, "A")

    def _body(
        self,
        saying: Saying,
        publisher: str,
        order_id: str,
        click_id: str,
        units: int,
        terms: Terms,
        ordered_at: datetime,
    ) -> str:
        units = units * saying.percent // 100 // _CENT * _CENT
        if saying.defect == "too_much":
            units = terms.most * 20
        commission = "a lot" if saying.defect == "malformed" else format_amount(units, terms.currency)
        since = ordered_at + timedelta(seconds=saying.after_s if saying.since_s is None else saying.since_s)
        event = {
            "type": f"conversion.{saying.status}",
            "timestamp": since.astimezone(UTC).isoformat(),
            "data": {
                "order_id": order_id,
                "click_id": self._foreign_click(publisher, order_id) if saying.defect == "foreign_click" else click_id,
                "commission": commission,
                "currency": terms.currency,
                "ordered_at": ordered_at.astimezone(UTC).isoformat(),
                "source": saying.source,
            },
        }
        return msgspec.json.encode(event).decode()


def story_of_first() -> tuple[Saying, ...]:
    """Return what is said of a publisher's first order: it goes well, and quickly."""
    return (Saying(0.5, "pending"), Saying(3, "approved"), Saying(40, "paid"))


def _commission(terms: Terms, seed: str) -> int:
    if terms.least == terms.most:
        return terms.most
    rng = random.Random(f"commission/{seed}")  # noqa: S311 - a repeatable order, not a secret
    return max(_CENT, rng.randrange(terms.least, terms.most) // _CENT * _CENT)
