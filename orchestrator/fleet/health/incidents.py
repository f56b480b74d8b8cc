"""When somebody is told, and when again: one alert for each incident, however long it lasts. Pure.

An incident opens when a symptom has lasted as long as its kind is borne: a frozen or failed one at once, one that is
down or not ready after a while. It closes when the subject has been well for long enough; how long grows with how
often it was ill lately, so that one that is well and ill by turns is one incident, told of once, not forty.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import msgspec

from orchestrator.fleet.health.probe import SEVERITY, Subject, Symptom

Outcome: TypeAlias = Literal["recovered", "stopped", "gone"]
"""How an incident ended: it is well again, it was stopped by hand, or it is no part of the fleet any more."""

MEMORY_S: Final = 3600.0
"""How long past incidents count against a subject."""

UNSTEADY_TURNS: Final = 4
UNSTEADY_SPAN_S: Final = 900.0
"""One that fell ill so often within so long is unsteady, though no single time lasted."""

_STEADY_S: Final = 300.0
_FIRST_HOLD_S: Final = 60.0
_LONGEST_HOLD_S: Final = 900.0


class Tolerance(msgspec.Struct, frozen=True):
    """What is borne, and for how long.

    Attributes:
        not_ready_s: How long one may say that it is not ready.
        down_s: How long a restart may take, failures and waiting included.
        remind_s: After how long an open incident is told of again.
    """

    not_ready_s: float = 120.0
    down_s: float = 60.0
    remind_s: float = 3600.0

    def of(self, symptom: Symptom) -> float:
        """Return how long a symptom is borne, seconds."""
        return {"not_ready": self.not_ready_s, "restarting": self.down_s}.get(symptom, 0.0)


class Incident(msgspec.Struct, frozen=True):
    """Something that people are told of.

    Attributes:
        id: Names it for ever.
        subject: Who is not well.
        symptom: The worst that was seen.
        detail: What was last said of it.
        began_at: When it was first seen ill, aware UTC.
        opened_at: When people were first told.
        alerts: How often they were told, reminders included.
        relapses: How often it was well in between, but not for long enough.
        closed_at: When it ended; None while it is open.
        outcome: How it ended.
    """

    id: str
    subject: Subject
    symptom: Symptom
    detail: str
    began_at: datetime
    opened_at: datetime
    alerts: int = 1
    relapses: int = 0
    closed_at: datetime | None = None
    outcome: Outcome | None = None


class Change(msgspec.Struct, frozen=True):
    """What is told now.

    Attributes:
        what: An incident opened, is still open after `remind_s`, or ended.
        incident: As it is from now on.
    """

    what: Literal["opened", "reminded", "closed"]
    incident: Incident


class _Case:
    """One that is ill, or was a moment ago."""

    __slots__ = ("began_at", "began_s", "incident", "told_s", "well_since_s")

    def __init__(self, began_s: float, began_at: datetime) -> None:
        self.began_s = began_s
        self.began_at = began_at
        self.incident: Incident | None = None
        self.told_s = began_s
        self.well_since_s: float | None = None


class _Past:
    """When one fell ill, and when its incidents ended, within `MEMORY_S`; monotonic seconds."""

    __slots__ = ("closed_s", "fell_ill_s")

    def __init__(self) -> None:
        self.fell_ill_s: list[float] = []
        self.closed_s: list[float] = []

    def forget_before(self, time_s: float) -> bool:
        """Forget what is older; return whether anything is left."""
        self.fell_ill_s = [each for each in self.fell_ill_s if each > time_s]
        self.closed_s = [each for each in self.closed_s if each > time_s]
        return bool(self.fell_ill_s or self.closed_s)


class Incidents:
    """The incidents of all subjects.

    Args:
        new_id: Makes an incident's id.
    """

    def __init__(self, new_id: Callable[[], str] = lambda: f"inc_{secrets.token_hex(8)}") -> None:
        self._new_id = new_id
        self._cases: dict[Subject, _Case] = {}
        self._pasts: dict[Subject, _Past] = {}

    def restore(self, incidents: Iterable[Incident], now_s: float) -> None:
        """Take up the open incidents of a former run: they have been told of."""
        for incident in incidents:
            case = self._cases[incident.subject] = _Case(now_s, incident.began_at)
            case.incident = incident

    def of(self, subject: Subject) -> Incident | None:
        """Return the open incident of a subject."""
        case = self._cases.get(subject)
        return None if case is None else case.incident

    def open(self) -> list[Incident]:
        """Return all that are open, the oldest first."""
        found = [case.incident for case in self._cases.values() if case.incident is not None]
        return sorted(found, key=lambda incident: incident.opened_at)

    def observe(
        self,
        subject: Subject,
        symptom: Symptom | None,
        detail: str,
        tolerance: Tolerance,
        now_s: float,
        now: datetime,
    ) -> Change | None:
        """Note how a subject is, and return what is to be told.

        Args:
            subject: Who.
            symptom: What is wrong; None where it is well.
            detail: What is said of it.
            tolerance: What is borne.
            now_s: Monotonic seconds.
            now: The same moment, aware UTC.
        """
        if symptom is None:
            return self._well(subject, now_s, now)
        case = self._cases.get(subject)
        if case is None:
            case = self._cases[subject] = _Case(now_s, now)
            self._note_turn(subject, now_s)
        elif case.well_since_s is not None:
            case.well_since_s = None
            self._note_turn(subject, now_s)
            if case.incident is not None:
                case.incident = msgspec.structs.replace(case.incident, relapses=case.incident.relapses + 1)
        incident = case.incident
        if incident is None:
            return self._open(subject, case, symptom, detail, tolerance, now_s, now)
        worst = max(symptom, incident.symptom, key=SEVERITY.index)
        case.incident = incident = msgspec.structs.replace(incident, symptom=worst, detail=detail)
        if now_s - case.told_s < tolerance.remind_s:
            return None
        case.told_s = now_s
        case.incident = msgspec.structs.replace(incident, alerts=incident.alerts + 1)
        return Change("reminded", case.incident)

    def dismiss(self, subject: Subject, outcome: Outcome, now: datetime) -> Change | None:
        """Forget a subject that is not looked at any more."""
        self._pasts.pop(subject, None)
        case = self._cases.pop(subject, None)
        if case is None or case.incident is None:
            return None
        return Change("closed", _closed(case.incident, outcome, now))

    def _well(self, subject: Subject, now_s: float, now: datetime) -> Change | None:
        case = self._cases.get(subject)
        if case is None:
            past = self._pasts.get(subject)
            if past is not None and not past.forget_before(now_s - MEMORY_S):
                del self._pasts[subject]
            return None
        if case.incident is None:
            del self._cases[subject]  # it passed before anybody was told
            return None
        if case.well_since_s is None:
            case.well_since_s = now_s
        if now_s - case.well_since_s < self._hold_s(subject, now_s):
            return None
        del self._cases[subject]
        self._pasts.setdefault(subject, _Past()).closed_s.append(now_s)
        return Change("closed", _closed(case.incident, "recovered", now))

    def _open(
        self,
        subject: Subject,
        case: _Case,
        symptom: Symptom,
        detail: str,
        tolerance: Tolerance,
        now_s: float,
        now: datetime,
    ) -> Change | None:
        turns = self._turns(subject, now_s)
        if now_s - case.began_s < tolerance.of(symptom):
            if turns < UNSTEADY_TURNS:
                return None
            detail = f"fell ill {turns} times within {UNSTEADY_SPAN_S / 60:g} minutes, now {symptom}: {detail}"
            symptom = "unsteady"
        case.told_s = now_s
        case.incident = Incident(self._new_id(), subject, symptom, detail, case.began_at, now)
        return Change("opened", case.incident)

    def _hold_s(self, subject: Subject, now_s: float) -> float:
        """Return how long a subject must be well before its incident ends."""
        past = self._pasts.get(subject)
        if past is None or not past.forget_before(now_s - MEMORY_S):
            return 0.0
        often = len(past.closed_s)
        hold_s = min(_FIRST_HOLD_S * 2 ** (often - 1), _LONGEST_HOLD_S) if often else 0.0
        return max(hold_s, _STEADY_S) if self._turns(subject, now_s) >= UNSTEADY_TURNS else hold_s

    def _turns(self, subject: Subject, now_s: float) -> int:
        past = self._pasts.get(subject)
        return 0 if past is None else sum(each > now_s - UNSTEADY_SPAN_S for each in past.fell_ill_s)

    def _note_turn(self, subject: Subject, now_s: float) -> None:
        past = self._pasts.setdefault(subject, _Past())
        past.forget_before(now_s - MEMORY_S)
        past.fell_ill_s.append(now_s)


def _closed(incident: Incident, outcome: Outcome, now: datetime) -> Incident:
    return msgspec.structs.replace(incident, closed_at=now, outcome=outcome)
