"""From how an order is booked to how it should be: the next steps in the ledger.

A booked line is never changed. A pending one is posted, in whole or part, or voided. A posted one can be
settled once and reversed once, each in whole or part; what that does not cover is a line of its own. So whatever
the order in which an order's claims came, its lines end in the same sums: what is earned on the income
account, what was paid on the cash account, and the difference on the receivable one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from streams.affiliate_marketing.standing import Standing

StepKind: TypeAlias = Literal["expect", "post", "void", "earn", "settle", "reverse", "correct"]
"""What a step does.

- `expect`: book pending. `post`: post all or part of what is pending. `void`: what is pending comes to nothing.
- `earn`: book what was not pending. `settle`: it was paid. `reverse`: take back. `correct`: take back once more.
"""


class Step(msgspec.Struct, frozen=True):
    """One booking.

    Attributes:
        kind: What it does.
        units: How much, always positive; 0 of a void.
        target: The number of the step whose line it is about; -1 where it makes a line of its own.
    """

    kind: StepKind
    units: int
    target: int = -1


_Take: TypeAlias = Callable[[Step], None]


class _Line(msgspec.Struct):
    number: int
    units: int
    settled: int | None = None
    reversed: int | None = None


class Lines:
    """The lines of one order, by the steps that were taken.

    Args:
        steps: The steps by number, those that wait to be booked included, those that were rejected left out.
        expired: Numbers of the steps whose pending line has expired.
        first_free: The number of the next step, where the last ones were left out.
    """

    def __init__(self, steps: dict[int, Step], expired: frozenset[int] = frozenset(), first_free: int = 0) -> None:
        self._next = max(first_free, max(steps, default=-1) + 1)
        self._posted: dict[int, _Line] = {}
        self._pending: tuple[int, int] | None = None
        self._expired = False
        self._corrected = 0
        for number, step in sorted(steps.items()):
            self._apply(number, step)
            if number in expired and self._is_pending(number):
                self._pending, self._expired = None, True

    @property
    def expected(self) -> int:
        """What is pending, units."""
        return 0 if self._pending is None else self._pending[1]

    @property
    def earned(self) -> int:
        """What is posted and was not taken back, units."""
        return sum(line.units - (line.reversed or 0) for line in self._posted.values()) - self._corrected

    @property
    def paid(self) -> int:
        """What was settled, units."""
        return sum(line.settled or 0 for line in self._posted.values())

    def steps_to(self, standing: Standing) -> dict[int, Step]:
        """Take the steps to where the order stands, and return them by number."""
        taken: dict[int, Step] = {}

        def take(step: Step) -> None:
            taken[self._next] = step
            self._apply(self._next, step)
            self._next += 1

        self._resolve_pending(standing, take)
        self._settle(standing.paid, take)
        if (missing := standing.earned - self.earned) > 0:
            take(Step("earn", missing))
        elif missing < 0:
            self._take_back(-missing, take)
        return taken

    def _resolve_pending(self, standing: Standing, take: _Take) -> None:
        to_post = max(standing.earned, standing.paid) - max(self.earned, self.paid)
        if self._pending is not None:
            number, units = self._pending
            if 0 < to_post <= units:
                take(Step("post", to_post, number))
            elif to_post > units or units != standing.expected:
                take(Step("void", 0, number))
        if standing.expected and self._pending is None and not self._posted and not self._expired:
            take(Step("expect", standing.expected))

    def _is_pending(self, number: int) -> bool:
        return self._pending is not None and self._pending[0] == number

    def _settle(self, paid: int, take: _Take) -> None:
        for line in list(self._posted.values()):
            due = paid - self.paid
            free = line.units - (line.reversed or 0)
            if due > 0 and free > 0 and line.settled is None:
                take(Step("settle", min(due, free), line.number))
        if (due := paid - self.paid) > 0:
            number = self._next
            take(Step("earn", due))
            take(Step("settle", due, number))

    def _take_back(self, units: int, take: _Take) -> None:
        for line in reversed(list(self._posted.values())):
            if units and line.reversed is None:
                part = min(units, line.units)
                take(Step("reverse", part, line.number))
                units -= part
        if units:
            take(Step("correct", units, next(iter(self._posted))))

    def _apply(self, number: int, step: Step) -> None:
        match step.kind:
            case "expect":
                self._pending = (number, step.units)
            case "void":
                self._pending = None
            case "post":
                self._pending = None
                self._posted[number] = _Line(number, step.units)
            case "earn":
                self._posted[number] = _Line(number, step.units)
            case "settle":
                self._posted[step.target].settled = step.units
            case "reverse":
                self._posted[step.target].reversed = step.units
            case "correct":
                self._corrected += step.units
