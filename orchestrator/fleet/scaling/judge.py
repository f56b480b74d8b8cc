"""Decides round after round: the rule, with what it has to remember. No clock of its own, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from config.auto_scaling import AutoScaling
from orchestrator.fleet.scaling.decision import Decision
from orchestrator.fleet.scaling.figures import Figures, StreamNow
from orchestrator.fleet.scaling.room import Room
from orchestrator.fleet.scaling.rule import decide
from orchestrator.fleet.scaling.window import LoadWindow

SLEPT_S: Final = 2.0
"""The machine slept where its clocks differ by more than this between two looks."""


class Verdict(msgspec.Struct, frozen=True):
    """What was decided in one round.

    Attributes:
        decisions: Of each stream that runs.
        note: Why what was measured before no longer counts, where it does not.
    """

    decisions: tuple[Decision, ...]
    note: str = ""


class Judge:
    """Remembers the loads since the last change, and decides.

    Args:
        room: Knows where there is room.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._window = LoadWindow()
        self._settings: AutoScaling | None = None
        self._by_hand: dict[str, int] = {}

    def judge(
        self, settings: AutoScaling, figures: Figures, streams: Sequence[StreamNow], slept_s: float = 0.0
    ) -> Verdict:
        """Decide by what was just measured and what was measured since the last change.

        What changes a count begins the windows anew, whoever does it; so do new settings, a pause without
        measurements, and a machine that slept: nothing is ever done for a load of long ago.

        Args:
            settings: The rule's numbers.
            figures: What was measured.
            streams: How the streams stand.
            slept_s: How long the machine slept since the last look.
        """
        note = self._heed(settings, streams, slept_s)
        load = None if figures.missing(settings.signals) else figures.load(settings.signals)
        keep_s = max(settings.grow_window_s, settings.shrink_window_s)
        if self._window.add(figures.t_s, load[0] if load is not None else None, settings.interval_s, keep_s):
            note = note or "there was a pause: what was measured before it does not count"
        places = self._room.places(figures, settings)
        decisions = decide(settings, figures, self._window, streams, places)
        if any(decision.action != "hold" for decision in decisions):
            self._window.clear()
        return Verdict(decisions, note)

    def _heed(self, settings: AutoScaling, streams: Sequence[StreamNow], slept_s: float) -> str:
        """Forget the loads where they say nothing any more; return why."""
        by_hand = {each.stream: each.by_hand for each in streams}
        note = ""
        if slept_s > SLEPT_S:
            note = f"the machine slept for {slept_s:.0f} s: what was measured before does not count"
        elif self._settings not in (None, settings):
            note = "the settings were changed: loads must last anew"
        elif self._by_hand and (changed := sorted({s for s, _ in self._by_hand.items() ^ by_hand.items()})):
            note = f"the count of {', '.join(changed)} was set by hand: loads must last anew"
        if note:
            self._window.clear()
        self._settings, self._by_hand = settings, by_hand
        return note
