"""Decides about postbacks, and plans what follows; each decision is one commit.

Every method blocks and belongs in the store's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from actors import Refusal
from streams.affiliate_marketing.judgement import Attribution, Doubt, doubt_about
from streams.affiliate_marketing.order_store import Order, OrderStore, Postback, StepToBook
from streams.affiliate_marketing.settings import Offer
from streams.affiliate_marketing.standing import standing_of
from streams.affiliate_marketing.steps import Lines

MAX_QUARANTINED: Final = 10_000

_NEARLY_EXPIRED: Final = timedelta(seconds=60)


class PostbackIdReused(Refusal):
    """The id of a postback names another one."""


class QuarantineFull(Refusal):
    """There is too much in quarantine already."""


class Decided(msgspec.Struct, frozen=True):
    """What became of a postback.

    Attributes:
        postback: It, as it is kept.
        replayed: Whether it had been kept before.
        former: How its order stood before; None for a new order.
        order: How its order stands now; None where it has none.
    """

    postback: Postback
    replayed: bool = False
    former: Order | None = None
    order: Order | None = None


class Work(msgspec.Struct, frozen=True):
    """What is left to book of an order.

    Attributes:
        steps: All its steps, in order.
        causes: The postbacks that the unbooked ones follow from, by number.
        currency: The asset.
    """

    steps: list[StepToBook]
    causes: dict[int, Postback]
    currency: str


class Decisions:
    """Decides for one instance.

    Args:
        store: Where orders are kept.
        offers: The terms, by offer.
        now: The time, aware UTC.
    """

    def __init__(self, store: OrderStore, offers: Mapping[str, Offer], now: Callable[[], datetime]) -> None:
        self._store = store
        self._offers = offers
        self._now = now

    def decide(self, postback: Postback, attribution: Attribution | None) -> Decided:
        """Decide about a postback, and keep it with what follows.

        Args:
            postback: The postback; its verdict is found here.
            attribution: What its click says; None where the click is not known.

        Raises:
            PostbackIdReused: Its id names another one.
            QuarantineFull: It belongs into quarantine, where there is no room.
            sqlite3.Error: Nothing was kept.
        """
        known = self._store.find(postback.network, postback.id)
        if known is not None:
            if known.digest != postback.digest:
                raise PostbackIdReused(f"the id {postback.id!r} names another postback")
            return Decided(known, replayed=True)
        attribution = attribution or self._former_attribution(postback)
        doubt: Doubt | None = "malformed"
        if postback.claim is not None:
            offer = None if attribution is None else self._offers.get(attribution.offer)
            doubt = doubt_about(postback.claim, attribution, offer, postback.network, postback.received_at)
        if doubt is None:
            assert attribution is not None
            return self.accept(postback, attribution)
        if self._store.in_quarantine() >= MAX_QUARANTINED:
            raise QuarantineFull(f"there are {MAX_QUARANTINED} postbacks in quarantine: release or dismiss some")
        kept = msgspec.structs.replace(postback, verdict="quarantined", doubt=doubt)
        return Decided(msgspec.structs.replace(kept, number=self._store.keep(kept)))

    def _former_attribution(self, postback: Postback) -> Attribution | None:
        """Return why the order was ours before, for a click that is no longer kept."""
        claim = postback.claim
        if claim is None:
            return None
        order = self._store.order(postback.network, claim.order_id)
        said = self._store.claims(postback.network, claim.order_id) if order is not None else []
        return order.attribution if order is not None and any(c.click_id == claim.click_id for c in said) else None

    def accept(self, postback: Postback, attribution: Attribution) -> Decided:
        """Accept a postback, new or from quarantine, and keep what follows.

        Raises:
            sqlite3.Error: Nothing was kept.
        """
        kept = msgspec.structs.replace(postback, verdict="accepted", doubt=None)

        def keep() -> Decided:
            if kept.number:
                self._store.judge(kept.number, "accepted", None, "released by an operator")
                number = kept.number
            else:
                number = self._store.keep(kept)
            former, order = self._advance(kept, number, attribution)
            return Decided(msgspec.structs.replace(kept, number=number), former=former, order=order)

        decided: Decided = self._store.atomically(keep)
        return decided

    def _advance(self, postback: Postback, number: int, attribution: Attribution) -> tuple[Order | None, Order]:
        claim = postback.claim
        assert claim is not None
        network, order_id = postback.network, claim.order_id
        standing = standing_of(self._store.claims(network, order_id))
        former = self._store.order(network, order_id)
        order = Order(
            network,
            order_id,
            claim.currency,
            standing,
            attribution if former is None else former.attribution,
            claim.ordered_at if former is None else former.ordered_at,
        )
        self._store.set_order(order)
        self._plan(order, number)
        return former, order

    def _plan(self, order: Order, postback: int) -> None:
        steps = self._store.steps(order.network, order.order_id)
        soon = self._now() + _NEARLY_EXPIRED
        expired = frozenset(each.number for each in steps if each.expires_at is not None and each.expires_at <= soon)
        lines = Lines({each.number: each.step for each in steps if each.rejection is None}, expired, len(steps))
        offer = self._offers.get(order.attribution.offer)
        expires_at = None if offer is None else self._now() + timedelta(days=offer.pending_days)
        self._store.plan(order.network, order.order_id, lines.steps_to(order.standing), postback, expires_at)

    def work(self, network: str, order_id: str) -> Work:
        """Return what is left to book of an order.

        Raises:
            sqlite3.Error: It cannot be read.
        """
        steps = self._store.steps(network, order_id)
        wanted = {each.postback for each in steps if each.receipt is None and each.rejection is None}
        causes = {number: found for number in wanted if (found := self._store.get(number)) is not None}
        order = self._store.order(network, order_id)
        return Work(steps, causes, "" if order is None else order.currency)

    def reject(self, network: str, order_id: str, refused: StepToBook, reason: str) -> bool:
        """Take a step back that the ledger refuses for good; tell whether there is another way.

        Raises:
            sqlite3.Error: Nothing was kept.
        """

        def take_back() -> bool:
            self._store.rejected(network, order_id, refused.number, reason)
            order = self._store.order(network, order_id)
            if refused.step.kind in ("post", "void") and order is not None:
                # What was pending has come to an end by itself: it expired.
                self._store.expire(network, order_id, refused.step.target, self._now())
                self._plan(order, refused.postback)
                return True
            self._store.judge(refused.postback, "quarantined", "not_bookable", reason)
            return False

        replanned: bool = self._store.atomically(take_back)
        return replanned
