"""What the auto-scaler decides, with what it was decided from, what was expected of it, and what came."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from orchestrator.fleet.scaling.figures import Figures, StreamNow

Action: TypeAlias = Literal["hold", "scale_up", "scale_down"]

Code: TypeAlias = Literal[
    "missing",
    "steady",
    "rising",
    "falling",
    "lag",
    "memory",
    "rollout",
    "at_maximum",
    "at_minimum",
    "no_room",
    "others_first",
    "grown",
    "shrunk",
    "shifted",
]
"""Why, for programs:

- `missing`: something that a decision needs could not be measured.
- `steady`: the load is between the limits. `rising`, `falling`: it is outside of them, but has not lasted yet.
- `lag`, `memory`, `rollout`: it would grow, but the event loop lags, memory is short, or a rollout of it runs.
- `at_maximum`, `at_minimum`: its bound is reached.
- `no_room`: it would grow, and there is nowhere to.
- `others_first`: other streams, which earn more or less, had the change of this round.
- `grown`, `shrunk`: its count was changed for the load. `shifted`: for what it earns, where there was no room.
"""

_UNREMARKABLE: Final = frozenset({"steady", "rising", "falling"})


class Advice(msgspec.Struct, frozen=True):
    """Whose room should be whose, where there is no more of it.

    Attributes:
        give_to: The stream that earns most per instance.
        take_from: The one that earns least.
    """

    give_to: str
    take_from: str


class Expected(msgspec.Struct, frozen=True):
    """What should be so after a change; shares as in `Figures`, reckoned from what an instance takes on average.

    Attributes:
        instances: The stream's count.
        cpu: Share of the processors.
        memory: Share of the memory.
        loop: Share of the event loop's time.
    """

    instances: int
    cpu: float
    memory: float
    loop: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of a change.

    Attributes:
        at: When that was looked at, aware UTC.
        rollout: How the rollout stood.
        instances: The stream's count.
        cpu: Share of the processors; None where it was not known.
        memory: Share of the memory.
        loop: Share of the event loop's time.
    """

    at: datetime
    rollout: str
    instances: int
    cpu: float | None
    memory: float | None
    loop: float | None


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided of one stream.

    Attributes:
        stream: The stream.
        action: What was decided.
        code: Why, for programs.
        reason: Why, a sentence for people.
        count: Its instances before.
        to: Its instances after; the same where it holds.
        places: Where what is added runs, how many at each.
        advice: Whose room should be whose, where there is none.
        expected: What should come of a change.
        rollout: The rollout that carries it out.
        refused: Why it was not carried out.
        outcome: What came of it.
    """

    stream: str
    action: Action
    code: Code
    reason: str
    count: int
    to: int
    places: dict[str, int] = {}
    advice: Advice | None = None
    expected: Expected | None = None
    rollout: str | None = None
    refused: str | None = None
    outcome: Outcome | None = None

    @property
    def news(self) -> tuple[str, str]:
        """What makes it another decision than the one before: a load that flickers makes none."""
        return self.action, "steady" if self.code in _UNREMARKABLE else self.code


class Round(msgspec.Struct, frozen=True):
    """One look at everything, and what was decided.

    Attributes:
        id: Counted from the first one of this home.
        at: When, aware UTC.
        figures: What was measured.
        decisions: Of each stream that runs.
        high: Above this load the fleet was to grow.
        low: Below this one it was to shrink.
        note: What was out of the ordinary: that former measurements were stale, for instance.
        streams: How the streams stood.
    """

    id: int
    at: datetime
    figures: Figures
    decisions: tuple[Decision, ...]
    high: float
    low: float
    note: str = ""
    streams: tuple[StreamNow, ...] = ()
