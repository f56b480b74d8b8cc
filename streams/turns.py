"""Whose turn it is: a bounded number of places for work, shared among instances by weight.

What instances really share is one event loop, one ledger and one way out of the process. Left alone, these go to
whoever knocks most often. So the work that loads them takes a place first, of which there is a bounded number:

- a customer's *request*, from its head until its answer is written, quick ones included;
- an *errand*: a crawler's fetch on the wire, a look at the markets and the trip that follows, a build of a site.

The two have places of their own. Errands may call on instances of the same fleet, whose requests must not have to
wait for errands; and a request never waits for another place while it has one, so there is no circle to be stuck in.

While there is room nobody waits, nothing is awaited, and a place costs a fraction of a microsecond. When there is none,
who waits is let in by start-time fair queueing (Goyal, Vin, Cheng 1996): each instance has a tag that moves on by the
time it held places over its weight, and the lowest tag is next. So of what is scarce, the time of places, instances
that want more than they get have it in proportion to their weights; what one does not want goes to the others; and the
tag of who waits stays while those of the others move on, so nobody waits for ever.

A place held longer than `LEASE_S` is lent on: this is there for fairness, and a peer that reads its answer a byte at a
time must not keep others from theirs. Work that nobody waits for is free: tags move only where there is a queue.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from time import monotonic
from typing import Final, TypeAlias
from weakref import WeakValueDictionary

import msgspec
import structlog

LEASE_S: Final = 1.0
"""A place that is held longer is lent to the next one."""

MOST_WAITING: Final = 1024
"""Of one instance at most so many wait; see `Turns.crowded`."""

REQUESTS: Final = 64
"""Requests that are answered at a time: enough for the ledger to commit many at once."""

ERRANDS: Final = 32
"""Errands at a time."""

LEAST_WEIGHT: Final = 1e-3
"""Of the mean: less would be never."""

_USUAL: Final = 1.0
_FIRST_GUESS_S: Final = 0.005
_LEARN: Final = 0.1
_MOST_GUESSES: Final = 4.0
"""A turn counts as at most so many usual ones: one that was stuck is no debt for hours."""

_log = structlog.get_logger("turns")

Begin: TypeAlias = Callable[[], object]
"""Begins the work whose turn it is; called in a turn of the loop, must not raise and not block."""


class LaneStats(msgspec.Struct, frozen=True):
    """How places are in demand.

    Attributes:
        places: How many there are.
        held: How many are held.
        waiting: How many wait for one.
        waited: How often somebody had to wait since the start.
        lent: How often a place was lent on because it was held for too long.
    """

    places: int
    held: int
    waiting: int
    waited: int
    lent: int


class Lane:
    """Places for one sort of work. For the loop's thread.

    Args:
        places: How many there are, 1 at least.
        clock: Seconds for intervals.
        lease_s: How long one is held before it is lent on.

    Attributes:
        places: How many there are; may be changed at any time.
        clock: Seconds for intervals. This and what follows is for `Turns`.
        lease_s: How long a place is held before it is lent on.
        holders: Who holds a place, by token, and since when, the longest first.
        charged: What turns that were waited for are thought to take; seconds by token.
        queue: Instances with work that waits, by tag.
        contended: Whether something waits, or something that waited holds a place.
        virtual: The tag of who was let in last.
        waiting: How much work waits.
        waited: How much had to.
    """

    def __init__(self, places: int, clock: Callable[[], float] = monotonic, lease_s: float = LEASE_S) -> None:
        self.places = places
        self.clock = clock
        self.lease_s = lease_s
        self.holders: dict[Hashable, float] = {}
        self.charged: dict[Hashable, float] = {}
        self.queue: list[tuple[float, int, Turns]] = []
        self.contended = False
        self._entered = 0
        self.virtual = 0.0
        self.waiting = 0
        self.waited = 0
        self._lent = 0
        self._watch: asyncio.TimerHandle | None = None
        self._admitting = False

    def stats(self) -> LaneStats:
        """Return how places are in demand."""
        return LaneStats(self.places, len(self.holders), self.waiting, self.waited, self._lent)

    def enter(self, turns: Turns, tag: float) -> None:
        """Note that an instance has work that waits."""
        self._entered += 1  # equal tags: first come, first served
        heappush(self.queue, (tag, self._entered, turns))

    def admit(self) -> None:
        """Let in who waits while there is room."""
        if self._admitting:
            return  # what begins may end at once; whoever let it in goes on
        self._admitting = True
        try:
            while self.queue and len(self.holders) < self.places:
                tag, _, turns = heappop(self.queue)
                if not turns.waiting:
                    turns.queued = False
                elif turns.finish > tag:  # its former turns took longer than was thought
                    self.enter(turns, turns.finish)
                else:
                    self.virtual = max(self.virtual, tag)
                    self._begin(turns)
        finally:
            self._admitting = False
        self.contended = bool(self.queue or self.charged)
        self._watch_leases()

    def _begin(self, turns: Turns) -> None:
        token, begin = turns.waiting.popitem(last=False)
        self.waiting -= 1
        turns.finish += turns.usual_s / turns.weight
        if turns.waiting:
            self.enter(turns, turns.finish)
        else:
            turns.queued = False
        self.holders[token] = self.clock()
        self.charged[token] = turns.usual_s
        try:
            begin()
        except Exception:  # noqa: BLE001 - it must not take the turns of others with it
            _log.exception("turns.begin_failed")
            self.holders.pop(token, None)
            self.charged.pop(token, None)

    def _watch_leases(self) -> None:
        if not self.queue or not self.holders or self._watch is not None:
            return
        oldest_s = next(iter(self.holders.values()))
        loop = asyncio.get_running_loop()
        self._watch = loop.call_later(max(0.001, oldest_s + self.lease_s - self.clock()), self._lend_on)

    def _lend_on(self) -> None:
        self._watch = None
        if not self.waiting:
            return
        over_s = self.clock() - self.lease_s
        for token, since_s in list(self.holders.items()):
            if since_s > over_s:
                break
            del self.holders[token]
            self._lent += 1
        self.admit()


class Turns:
    """One instance's turns in a lane; made by `Shares`. For the loop's thread.

    Args:
        lane: The places.
        weight: Its part of what is scarce, beside the weights of others.

    Attributes:
        weight: Its part of what is scarce, beside the weights of others; may be changed at any time.
        finish: Its tag. This and what follows is for the lane.
        usual_s: How long a turn of its holds a place, as learnt.
        waiting: What waits, by token, the longest first.
        queued: Whether the lane knows that something waits.
    """

    __slots__ = ("__weakref__", "_holders", "_lane", "finish", "queued", "usual_s", "waiting", "weight")

    def __init__(self, lane: Lane, weight: float = _USUAL) -> None:
        self._lane = lane
        self._holders = lane.holders
        self.weight = weight
        self.finish = 0.0
        self.usual_s = _FIRST_GUESS_S
        self.waiting: OrderedDict[Hashable, Begin] = OrderedDict()
        self.queued = False

    @property
    def crowded(self) -> bool:
        """Whether so many wait already that one more is better sent away."""
        return len(self.waiting) >= MOST_WAITING

    def take(self, token: Hashable) -> bool:
        """Take a place if nobody has to wait for one, and return whether that was so.

        Args:
            token: What the place is given back by; one at a time has a place.
        """
        lane, holders = self._lane, self._holders
        if lane.queue or len(holders) >= lane.places:
            return False
        holders[token] = lane.clock()
        return True

    def wait(self, token: Hashable, begin: Begin) -> None:
        """Have the work begin when its turn comes, perhaps at once.

        Args:
            token: As in `take`; giving it back before its turn has come is giving up.
            begin: Begins the work, which then has a place.
        """
        lane = self._lane
        self.waiting[token] = begin
        lane.contended = True
        lane.waiting += 1
        if not self.queued:
            self.queued = True
            self.finish = max(lane.virtual, self.finish)  # nobody saves up while they want nothing
            lane.enter(self, self.finish)
        lane.admit()
        if token in self.waiting:
            lane.waited += 1

    def give_back(self, token: Hashable) -> None:
        """Give a place back, or wait for it no more. Does nothing where there is neither."""
        lane = self._lane
        since_s = self._holders.pop(token, None)
        if not lane.contended:
            return
        if lane.charged and (charged_s := lane.charged.pop(token, None)) is not None:
            self._settle(charged_s, lane.lease_s if since_s is None else lane.clock() - since_s)
        elif since_s is None and self.waiting.pop(token, None) is not None:
            lane.waiting -= 1
        lane.admit()

    def let_all_in(self) -> None:
        """Begin all that waits, room or not: who closes wants it over."""
        lane = self._lane
        while self.waiting:
            token, begin = self.waiting.popitem(last=False)
            lane.waiting -= 1
            lane.holders[token] = lane.clock()
            begin()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold a place inside the block; waits for one, and can be cancelled meanwhile."""
        token = object()
        if not self.take(token):
            ready = asyncio.Event()
            self.wait(token, ready.set)
            try:
                await ready.wait()
            except BaseException:
                self.give_back(token)
                raise
        try:
            yield
        finally:
            self.give_back(token)

    def _settle(self, charged_s: float, held_s: float) -> None:
        """Charge what a turn really took beside what it was thought to."""
        counted_s = min(held_s, _MOST_GUESSES * self.usual_s)
        self.finish += (counted_s - charged_s) / self.weight
        self.usual_s += _LEARN * (held_s - self.usual_s)


class Share:
    """An instance's part of what all share.

    Args:
        requests: Its turns for requests.
        errands: Its turns for errands.

    Attributes:
        requests: Its turns for requests.
        errands: Its turns for errands.
    """

    __slots__ = ("__weakref__", "errands", "requests")

    def __init__(self, requests: Turns, errands: Turns) -> None:
        self.requests = requests
        self.errands = errands

    @classmethod
    def unlimited(cls) -> Share:
        """Return the share of one that has no neighbours to share with."""
        without_end = 2**62
        return cls(Turns(Lane(without_end)), Turns(Lane(without_end)))


class Shares:
    """All instances' shares; one of it in a daemon. For the loop's thread.

    Args:
        requests: Requests at a time.
        errands: Errands at a time.
        clock: Seconds for intervals.
    """

    def __init__(
        self, requests: int = REQUESTS, errands: int = ERRANDS, clock: Callable[[], float] = monotonic
    ) -> None:
        self.requests = Lane(requests, clock)
        self.errands = Lane(errands, clock)
        # An instance that is gone takes its share with it.
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()
        self._weights: dict[str, float] = {}

    def of(self, instance: str) -> Share:
        """Return an instance's share; the same one while anybody has it."""
        share = self._shares.get(instance)
        if share is None:
            weight = self._weights.get(instance, _USUAL)
            share = Share(Turns(self.requests, weight), Turns(self.errands, weight))
            self._shares[instance] = share
        return share

    def weigh(self, weights: Mapping[str, float]) -> None:
        """Set the weights: what instances get beside each other.

        Args:
            weights: By instance, in any unit; one that is not named has the mean of those that are.
        """
        mean = sum(weights.values()) / len(weights) if weights else 0.0
        self._weights = {name: max(weight / mean, LEAST_WEIGHT) for name, weight in weights.items()} if mean else {}
        for instance, share in self._shares.items():
            share.requests.weight = share.errands.weight = self._weights.get(instance, _USUAL)
