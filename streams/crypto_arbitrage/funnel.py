"""How many prices were looked at, how far they came, and what stopped them: so that zero is explained."""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, TypeAlias

Stage: TypeAlias = Literal["evaluated", "fresh", "gross", "net", "depth", "sent", "filled", "realised"]

STAGES: Final[tuple[Stage, ...]] = (
    "evaluated",  # a route was looked at with new prices
    "fresh",  # its books passed every gate
    "gross",  # the best prices leave something
    "net",  # they do after fees
    "depth",  # a size pays along the depth, after steps, minimums and transfers, and is at hand
    "sent",  # its first order was sent
    "filled",  # something was filled
    "realised",  # all legs went through, and the books say what was made
)


class Funnel:
    """Counts since the start."""

    def __init__(self) -> None:
        self._reached: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()

    def reach(self, stage: Stage, times: int = 1) -> None:
        """Count what came to a stage."""
        self._reached[stage] += times

    def reject(self, reason: str, times: int = 1) -> None:
        """Count what was stopped, by the reason's name."""
        self._rejected[reason] += times

    def counts(self) -> dict[str, int]:
        """Return the stages in order, then the reasons as `rejected_<reason>`."""
        counts: dict[str, int] = {stage: self._reached[stage] for stage in STAGES}
        counts.update((f"rejected_{reason}", times) for reason, times in sorted(self._rejected.items()))
        return counts
