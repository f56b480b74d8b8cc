"""Follows what was decided until it is known what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from orchestrator.fleet.scaling.decision import Decision, Outcome, Round
from orchestrator.fleet.scaling.figures import Figures

GIVEN_UP_AFTER_S: Final = 3600.0
"""After so long, what is so far counts as the outcome."""

_FOLLOWED_MOST: Final = 50


class Outcomes:
    """The rounds whose outcome is not known yet."""

    def __init__(self) -> None:
        self._rounds: dict[int, Round] = {}
        self._ended: dict[tuple[int, str], str] = {}

    def follow(self, taken: Round) -> None:
        """Follow a round, where it changed anything."""
        if any(_open(decision) for decision in taken.decisions):
            self._rounds[taken.id] = taken
            for oldest in list(self._rounds)[:-_FOLLOWED_MOST]:
                del self._rounds[oldest]

    def rollouts(self) -> dict[str, str]:
        """Return the rollouts to ask for, each with its stream."""
        return {
            decision.rollout: decision.stream
            for taken in self._rounds.values()
            for decision in taken.decisions
            if _open(decision) and decision.rollout is not None
        }

    def settle(
        self, states: Mapping[str, str | None], figures: Figures, counts: Mapping[str, int], at: datetime
    ) -> list[tuple[Round, Decision]]:
        """Note what came of what has ended, and return it, each decision with its round as it is now.

        A rollout that has just been seen to end is settled the next time only: the figures of then were measured
        after it as a whole.

        Args:
            states: How each rollout ended, None while it runs.
            figures: What was just measured.
            counts: The streams' counts.
            at: Now.
        """
        settled: list[tuple[Round, Decision]] = []
        for taken in list(self._rounds.values()):
            # By the monotonic clock, which begins anew with the machine.
            overdue = not 0 <= figures.t_s - taken.figures.t_s <= GIVEN_UP_AFTER_S
            now: dict[str, Decision] = {}
            for decision in filter(_open, taken.decisions):
                assert decision.rollout is not None
                key = taken.id, decision.rollout
                ended = states.get(decision.rollout)
                if key in self._ended or overdue:
                    outcome = Outcome(
                        at,
                        self._ended.pop(key, ended or "running"),
                        counts.get(decision.stream, 0),
                        figures.cpu,
                        figures.memory,
                        figures.loop,
                    )
                    now[decision.stream] = msgspec.structs.replace(decision, outcome=outcome)
                elif ended is not None:
                    self._ended[key] = ended
            if now:
                decisions = tuple(now.get(each.stream, each) for each in taken.decisions)
                taken = self._rounds[taken.id] = msgspec.structs.replace(taken, decisions=decisions)
                settled += [(taken, decision) for decision in now.values()]
            if not any(map(_open, taken.decisions)):
                del self._rounds[taken.id]
        return settled

    def resume(self, rounds: Iterable[Round]) -> None:
        """Follow what a former run left open; rounds the oldest first."""
        for each in rounds:
            self.follow(each)


def _open(decision: Decision) -> bool:
    return decision.action != "hold" and decision.rollout is not None and decision.outcome is None
