"""What came of decisions: of the period of each, all that has come so far, until it counts as complete."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from orchestrator.money.profit.decision import Decision, Outcome
from orchestrator.money.profit.period import Period
from streams.money import format_amount


class Outcomes:
    """Follows decisions.

    Args:
        mature_periods: Periods after which what a period earned counts as complete.
    """

    def __init__(self, mature_periods: int) -> None:
        self._mature = mature_periods
        self._open: dict[int, Decision] = {}
        self._came: dict[int, int] = {}

    def resume(self, decisions: Iterable[Decision], periods: Iterable[Period]) -> None:
        """Take up what a former life left open.

        Args:
            decisions: The decisions that are open.
            periods: The periods since, the oldest first.
        """
        self._open = {decision.id: decision for decision in decisions}
        for period in periods:
            self._add(period)

    def follow(self, decision: Decision) -> None:
        """Watch what comes of a decision. One for the same period takes the place of those before it."""
        for number, other in list(self._open.items()):
            if other.period == decision.period:
                del self._open[number]
        self._open[decision.id] = decision

    def settle(self, period: Period) -> list[Decision]:
        """Take a period that has ended; return the decisions of which more is known now."""
        self._add(period)
        known: list[Decision] = []
        for number, decision in list(self._open.items()):
            if decision.period > period.id:
                continue
            complete = period.id >= decision.period + self._mature
            net = format_amount(self._came.get(decision.period, 0), decision.asset)
            settled = msgspec.structs.replace(decision, outcome=Outcome(net, complete))
            known.append(settled)
            if complete:
                del self._open[number]
            else:
                self._open[number] = settled
        return known

    def _add(self, period: Period) -> None:
        for age, units in enumerate(period.came[: self._mature + 1]):
            self._came[period.id - age] = self._came.get(period.id - age, 0) + units
        self._came.setdefault(period.id, 0)
        for old in [number for number in self._came if number < period.id - self._mature]:
            del self._came[old]
