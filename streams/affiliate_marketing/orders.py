"""Takes what networks say of orders, and sees to it that the ledger says the same.

A postback is kept with its proof and the steps that follow from it, in one commit, and then the steps are booked.
A step whose booking is not known to be made is asked for again, under the same key, until it is: after a full
disk, a silent ledger, or a kill in between. Postbacks of one order take turns.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakValueDictionary

import msgspec

from actors import Refusal
from streams.affiliate_marketing.judgement import Attribution
from streams.affiliate_marketing.order_decisions import Decided, Decisions, Work
from streams.affiliate_marketing.order_store import Order, OrderStore, Postback, StepToBook
from streams.affiliate_marketing.settings import Offer
from streams.affiliate_marketing.standing import Standing
from streams.affiliate_marketing.step_booking import Bookkeeper
from streams.booking import BookingRejected, LedgerRef, LedgerUnavailable, Receipt

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

R = TypeVar("R")

BOOKING_TIMEOUT_S: Final = 5.0

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0
_RETRY_AFTER_S: Final = 5.0
_ROUNDS: Final = 4

WorthChanged = Callable[[str, int], None]
"""Told the offer, and by how much more an order of it is worth than before, units."""


class NotBookedYet(Refusal):
    """The postback is kept, but its booking is not known to be made yet: send it again.

    Attributes:
        retry_after_s: When.
    """

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(f"not booked yet: {reason}")
        self.retry_after_s = retry_after_s


class Orders:
    """The orders of one instance.

    Attributes:
        counts: Postbacks by what was decided about them, since the start.

    Args:
        file: Where orders are kept.
        offers: The terms, by offer.
        bookkeeper: Writes bookings.
        ledger: Where they are made.
        now: The time, aware UTC.
        log: The instance's logger.
        worth_changed: Told what clicks turn out to be worth.
    """

    def __init__(
        self,
        *,
        file: Path,
        offers: dict[str, Offer],
        bookkeeper: Bookkeeper,
        ledger: LedgerRef,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        worth_changed: WorthChanged,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._store = OrderStore(file)
        self._decisions = Decisions(self._store, offers, now)
        self._offers = offers
        self._bookkeeper = bookkeeper
        self._ledger = ledger
        self._log = log
        self._worth_changed = worth_changed
        self._thread: ThreadPoolExecutor | None = None
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._by_state: Counter[str] = Counter()
        self._unbooked = asyncio.Event()

    async def start(self) -> None:
        """Open the file.

        Raises:
            sqlite3.Error: It is damaged, or cannot be opened.
        """
        self._thread = ThreadPoolExecutor(1, "orders")
        await self._in_thread(self._store.open)
        self._by_state.update(await self._in_thread(self._store.counts))
        # A former life may have left steps to book.
        self._unbooked.set()

    async def stop(self) -> None:
        """Close the file. Safe to call again, and after a start that failed."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        await asyncio.get_running_loop().run_in_executor(thread, self._store.close)
        await asyncio.to_thread(thread.shutdown)

    async def run(self) -> None:
        """Book what could not be booked when it came, until cancelled."""
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._unbooked.wait()
            self._unbooked.clear()
            delayed = False
            for network, order_id in await self._in_thread(self._store.unbooked):
                try:
                    async with self._turn(network, order_id):
                        await self._book(network, order_id)
                except NotBookedYet as error:
                    delayed = True
                    self._log.warning(
                        "affiliate.booking_delayed", order=order_id, reason=str(error), retry_in_s=pause_s
                    )
                    break
            if delayed:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            else:
                pause_s = _FIRST_PAUSE_S

    def states(self) -> dict[str, int]:
        """Return how many orders stand how, and how many postbacks are in quarantine."""
        return {state: count for state, count in sorted(self._by_state.items()) if count}

    async def take(self, postback: Postback, attribution: Attribution | None) -> Postback:
        """Take a postback whose sender is known; return it as it is kept, with what was decided about it.

        When this returns, what follows from it is booked.

        Args:
            postback: The postback; its verdict is found here.
            attribution: What its click says; None where the click is not known.

        Raises:
            NotBookedYet: It is kept, and will be booked, but is not known to be yet.
            PostbackIdReused: Its id names another one.
            QuarantineFull: It belongs into quarantine, where there is no room.
        """
        order_id = postback.id if postback.claim is None else postback.claim.order_id
        async with self._turn(postback.network, order_id):
            decided = await self._in_thread(self._decisions.decide, postback, attribution)
            self._note(decided)
            kept = decided.postback
            if kept.verdict == "accepted":
                await self._book(kept.network, order_id)
            return kept

    async def release(self, number: int, offer: str | None, attribution: Attribution | None) -> Postback:
        """Accept a postback that is in quarantine, on an operator's word.

        Args:
            number: Its number.
            offer: The offer that it belongs to, where its click does not say.
            attribution: What its click says; None where the click is not known.

        Raises:
            Refusal: It cannot be accepted; says why.
            NotBookedYet: It is accepted, and will be booked, but is not known to be yet.
        """
        postback = await self.quarantined(number)
        claim = postback.claim
        if claim is None:
            raise Refusal("what it says makes no sense: dismiss it, and ask the network to send it again")
        if attribution is None or offer is not None:
            if offer is None:
                raise Refusal("its click is not known: name the offer that it belongs to")
            terms = self._offer(offer)
            attribution = Attribution(offer, "", claim.ordered_at, terms.policy, terms.window_s)
        if claim.currency != self._offer(attribution.offer).currency:
            raise Refusal(f"the offer {attribution.offer!r} does not pay in {claim.currency}")
        async with self._turn(postback.network, claim.order_id):
            decided = await self._in_thread(self._decisions.accept, postback, attribution)
            self._by_state["quarantined"] -= 1
            self._note(decided)
            await self._book(postback.network, claim.order_id)
            return decided.postback

    async def dismiss(self, number: int, reason: str) -> Postback:
        """Put a postback in quarantine aside for good.

        Raises:
            Refusal: It is not in quarantine.
        """
        postback = await self.quarantined(number)
        await self._in_thread(self._store.judge, number, "dismissed", postback.doubt, reason)
        self._by_state["quarantined"] -= 1
        return msgspec.structs.replace(postback, verdict="dismissed", detail=reason)

    async def quarantined(self, number: int) -> Postback:
        """Return a postback that is in quarantine.

        Raises:
            Refusal: It is not there.
        """
        postback = await self._in_thread(self._store.get, number)
        if postback is None or postback.verdict != "quarantined":
            raise Refusal(f"there is no postback {number} in quarantine")
        return postback

    async def quarantine(self, limit: int) -> list[Postback]:
        """Return what is in quarantine, oldest first."""
        return await self._in_thread(self._store.quarantine, limit)

    async def all(self, network: str | None, limit: int) -> list[Order]:
        """Return orders, the latest first; of one network, if it is named."""
        return await self._in_thread(self._store.orders, network, limit)

    def _offer(self, name: str) -> Offer:
        try:
            return self._offers[name]
        except KeyError:
            raise Refusal(f"there is no offer {name!r}; there are {', '.join(self._offers)}") from None

    def _turn(self, network: str, order_id: str) -> asyncio.Lock:
        lock = self._turns.get((network, order_id))
        if lock is None:
            lock = self._turns[network, order_id] = asyncio.Lock()
        return lock

    def _note(self, decided: Decided) -> None:
        postback = decided.postback
        if decided.replayed:
            self.counts["replayed"] += 1
            return
        if postback.verdict == "quarantined":
            self.counts[f"quarantined_{postback.doubt}"] += 1
            self._by_state["quarantined"] += 1
            self._log.warning(
                "affiliate.quarantined", network=postback.network, postback=postback.number, reason=postback.doubt
            )
            return
        self.counts["accepted"] += 1
        if decided.order is not None:
            self._note_order(decided.former, decided.order)

    def _note_order(self, former: Order | None, order: Order) -> None:
        if former is not None:
            self._by_state[former.standing.state] -= 1
        self._by_state[order.standing.state] += 1
        change = _worth(order.standing) - (0 if former is None else _worth(former.standing))
        if change:
            self._worth_changed(order.attribution.offer, change)

    async def _book(self, network: str, order_id: str) -> None:
        """Book the steps of an order that are not booked yet; its turn is the caller's."""
        for _ in range(_ROUNDS):
            work = await self._in_thread(self._decisions.work, network, order_id)
            receipts = {step.number: step.receipt for step in work.steps}
            for step in work.steps:
                if step.receipt is not None or step.rejection is not None:
                    continue
                try:
                    receipts[step.number] = (await self._book_step(step, work, receipts)).id
                except BookingRejected as rejection:
                    replanned = await self._in_thread(self._decisions.reject, network, order_id, step, str(rejection))
                    self._log.warning(
                        "affiliate.booking_rejected", order=order_id, step=step.step.kind, reason=str(rejection)
                    )
                    if not replanned:
                        self.counts["rejected_by_ledger"] += 1
                        return
                    break
                await self._in_thread(self._store.booked, network, order_id, step.number, receipts[step.number])
            else:
                return

    async def _book_step(self, step: StepToBook, work: Work, receipts: dict[int, str | None]) -> Receipt:
        place = sum(other.postback == step.postback and other.number < step.number for other in work.steps)
        target = receipts[step.step.target] if step.step.target >= 0 else None
        booking = self._bookkeeper.booking(step, place, work.causes[step.postback], target, work.currency)
        try:
            return await self._ledger.ask(booking, BOOKING_TIMEOUT_S)
        except BookingRejected:
            raise
        except Exception as error:
            # Whatever kept the ledger from answering: the step is kept, and asked for again.
            self._unbooked.set()
            wait_s = error.retry_after_s if isinstance(error, LedgerUnavailable) else _RETRY_AFTER_S
            raise NotBookedYet(str(error) or type(error).__name__, wait_s) from error

    async def _in_thread(self, function: Callable[..., R], *args: Any) -> R:
        if self._thread is None:
            raise NotBookedYet("the instance is stopping", _RETRY_AFTER_S)
        # Shielded, because a commit that was begun is finished: its caller must not go on as if there were none.
        future: Awaitable[R] = asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        return await asyncio.shield(future)


def _worth(standing: Standing) -> int:
    return standing.earned or standing.expected
