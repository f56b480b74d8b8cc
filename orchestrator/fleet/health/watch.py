"""All that is known of how instances and services are: the last look at each, the figures, the incidents. Pure."""

from __future__ import annotations

from datetime import datetime

import msgspec

from orchestrator.fleet.health.incidents import Change, Incidents, Outcome, Tolerance
from orchestrator.fleet.health.probe import Probe, Subject
from orchestrator.fleet.health.served import Served, ServedWindow
from orchestrator.fleet.health.window import SPANS_S, Figures, Window
from streams.traffic import TrafficCounts


class Moment(msgspec.Struct, frozen=True):
    """A moment on both clocks.

    Attributes:
        monotonic_s: For intervals.
        at: For people, aware UTC.
    """

    monotonic_s: float
    at: datetime


class Look(msgspec.Struct, frozen=True):
    """The last look at a subject."""

    probe: Probe
    at: datetime


class Watch:
    """Keeps what the probes found. It outlives the health monitor's lives.

    Attributes:
        incidents: What people are told of.
        restored: Whether the incidents of a former run have been taken up.
    """

    def __init__(self, incidents: Incidents | None = None) -> None:
        self.incidents = incidents if incidents is not None else Incidents()
        self.restored = False
        self._windows: dict[Subject, Window] = {}
        self._looks: dict[Subject, Look] = {}
        self._served: dict[Subject, ServedWindow] = {}

    def note(self, subject: Subject, probe: Probe, tolerance: Tolerance, now: Moment) -> Change | None:
        """Note what a look found, and return what is to be told."""
        window = self._windows.get(subject)
        if window is None:
            window = self._windows[subject] = Window()
        window.add(now.monotonic_s, probe.took_s, wrong=probe.symptom is not None)
        self._looks[subject] = Look(probe, now.at)
        return self.observe(subject, probe, tolerance, now)

    def note_traffic(self, subject: Subject, counts: TrafficCounts, now: Moment) -> None:
        """Note what an instance says that it has done so far; of one that has done nothing, nothing is kept."""
        window = self._served.get(subject)
        if window is None:
            if not counts.requests:
                return
            window = self._served[subject] = ServedWindow()
        window.note(now.monotonic_s, counts)

    def observe(self, subject: Subject, probe: Probe, tolerance: Tolerance, now: Moment) -> Change | None:
        """The same for what was told rather than looked for: it counts for incidents, not for the figures."""
        return self.incidents.observe(subject, probe.symptom, probe.detail, tolerance, now.monotonic_s, now.at)

    def dismiss(self, subject: Subject, outcome: Outcome, now: Moment) -> Change | None:
        """Forget a subject that is not looked at any more."""
        self._windows.pop(subject, None)
        self._looks.pop(subject, None)
        self._served.pop(subject, None)
        return self.incidents.dismiss(subject, outcome, now.at)

    def instances(self) -> set[str]:
        """Return the ids of the instances that were looked at."""
        return {subject.name for subject in self._looks if subject.kind == "instance"}

    def count(self) -> tuple[int, int]:
        """Return how many subjects the last look found well, and how many not."""
        ill = sum(look.probe.symptom is not None for look in self._looks.values())
        return len(self._looks) - ill, ill

    def last_look(self, subject: Subject) -> Look | None:
        """Return the last look at a subject; None where there was none, or it is not looked at."""
        return self._looks.get(subject)

    def figures(self, subject: Subject, now: Moment) -> tuple[Figures, ...]:
        """Return a subject's figures over each of `SPANS_S`."""
        window = self._windows.get(subject) or _NOTHING
        return tuple(window.figures(span_s, now.monotonic_s) for span_s in SPANS_S)

    def served(self, subject: Subject) -> Served | None:
        """Return what an instance has done over the last quarter of an hour; None where nothing is known of it."""
        window = self._served.get(subject)
        return None if window is None else window.figures()


_NOTHING = Window()
