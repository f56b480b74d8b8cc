"""The pool of standbys: its seats, and what becomes of each. Pure: the times are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from actors import ActorRef

SeatState: TypeAlias = Literal["due", "starting", "ready", "taken", "cooling"]
"""`due`: it is to be started as soon as there is time. `taken`: its standby is taking over, or has done so.
`cooling`: who sits there failed, and is not started again before `until_s`."""


class Seat(msgspec.Struct):
    """A seat of the pool.

    A standby that takes over leaves its seat to the body that failed, which cools down there.

    Attributes:
        id: `standby-003`, whoever sits there.
        state: What becomes of it.
        ref: The standby; None while none is there.
        until_s: When its cool-down ends, on the loop's clock; 0 while it has none.
        reason: Why it cools down.
        carried: The instance whose failed body it is; empty where it was a standby that did not start.
    """

    id: str
    state: SeatState = "due"
    ref: ActorRef[Any] | None = None
    until_s: float = 0.0
    reason: str = ""
    carried: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether a standby sits there that runs, and waits for work."""
        return self.state == "ready" and self.ref is not None and self.ref.running


class Pool:
    """The seats. It outlives the lives of the actor that fills them.

    Args:
        size: How many there are.

    Attributes:
        opened: Whether standbys are started at all yet.
    """

    def __init__(self, size: int) -> None:
        self.opened = False
        self._seats = {(name := f"standby-{number:03d}"): Seat(name) for number in range(1, size + 1)}

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats.values())

    def __len__(self) -> int:
        return len(self._seats)

    def get(self, standby: str) -> Seat | None:
        """Return a seat by its id."""
        return self._seats.get(standby)

    def ready(self) -> int:
        """Return how many standbys wait for work."""
        return sum(seat.is_ready for seat in self)

    def refs(self) -> dict[str, ActorRef[Any]]:
        """Return the standbys that wait for work, or should, by their place in the tree."""
        return {
            seat.ref.path.removeprefix("/"): seat.ref for seat in self if seat.state == "ready" and seat.ref is not None
        }

    def is_full(self) -> bool:
        """Whether all do."""
        return self.ready() == len(self)

    def take(self, avoid: frozenset[str] = frozenset()) -> Seat | None:
        """Take a standby that waits for work, for good or until it is given back; None where there is none.

        Args:
            avoid: Those that were tried already.
        """
        for seat in self:
            if seat.is_ready and seat.id not in avoid:
                seat.state = "taken"
                return seat
        return None

    def give_back(self, seat: Seat) -> None:
        """Have a standby that was taken wait again: it was not needed, or could not do it."""
        if seat.state == "taken":
            seat.state = "ready"

    def seat(self, seat: Seat, ref: ActorRef[Any]) -> None:
        """Have a standby sit there that has started."""
        seat.state, seat.ref, seat.until_s, seat.reason, seat.carried = "ready", ref, 0.0, "", ""

    def cool(self, seat: Seat, until_s: float, reason: str, carried: str = "") -> None:
        """Have a body that failed cool down there."""
        seat.state, seat.ref, seat.until_s, seat.reason, seat.carried = "cooling", None, until_s, reason, carried

    def start(self, now_s: float) -> list[Seat]:
        """Return the seats whose standby is to be started now, and hold them to be starting."""
        self.opened = True
        begun = [seat for seat in self if seat.state == "due" or (seat.state == "cooling" and seat.until_s <= now_s)]
        for seat in begun:
            seat.state = "starting"
        return begun

    def next_start_s(self) -> float | None:
        """Return when the next cool-down ends; None where nobody cools down."""
        return min((seat.until_s for seat in self if seat.state == "cooling"), default=None)

    def take_up(self) -> None:
        """Go on after the end of who filled it: what was half done then is begun anew."""
        for seat in self:
            if seat.state in ("starting", "taken"):
                seat.state = "due"
