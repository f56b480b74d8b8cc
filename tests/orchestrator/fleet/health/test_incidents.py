"""Who is told, when, and how often."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fleet.health.incidents import Change, Incident, Incidents, Tolerance
from orchestrator.fleet.health.probe import Subject, Symptom

ONE = Subject("instance", "stall-001")
OTHER = Subject("instance", "stall-002")
TOLERANCE = Tolerance(not_ready_s=120, down_s=60, remind_s=3600)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Ward:
    """Incidents on a clock of their own."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        self.incidents = Incidents(lambda: f"inc_{next(numbers)}")
        self.now_s = 0.0
        self.told: list[Change] = []

    def look(self, symptom: Symptom | None, after_s: float = 30.0, subject: Subject = ONE) -> str | None:
        """Look again after a while, and return what is told."""
        self.now_s += after_s
        change = self.incidents.observe(subject, symptom, "why", TOLERANCE, self.now_s, self._now())
        if change is not None:
            self.told.append(change)
        return None if change is None else change.what

    def _now(self) -> datetime:
        return NOON + timedelta(seconds=self.now_s)


def test_one_that_is_frozen_or_has_given_up_is_told_of_at_once() -> None:
    for symptom in ("unanswered", "failed"):
        ward = Ward()
        assert ward.look(symptom) == "opened"  # type: ignore[arg-type]
        assert ward.look(None) == "closed"


def test_one_that_is_not_ready_is_told_of_when_it_has_lasted_and_only_once() -> None:
    ward = Ward()
    said = [ward.look("not_ready") for _ in range(100)]
    assert said == [None] * 4 + ["opened"] + [None] * 95
    (change,) = ward.told
    assert (change.incident.began_at, change.incident.opened_at) == (
        NOON + timedelta(seconds=30),
        NOON + timedelta(seconds=150),
    )


def test_what_passes_in_time_is_not_told_of() -> None:
    ward = Ward()
    assert [ward.look(symptom) for symptom in ("restarting", "restarting", None, None)] == [None] * 4  # type: ignore[arg-type]
    assert ward.incidents.open() == []


def test_what_stays_open_is_told_of_again_at_most_every_hour() -> None:
    ward = Ward()
    said = [ward.look("failed") for _ in range(3 * 120)]
    assert said.count("opened") == 1
    assert said.count("reminded") == 2
    assert [change.incident.alerts for change in ward.told] == [1, 2, 3]
    assert {change.incident.id for change in ward.told} == {"inc_1"}


def test_an_incident_keeps_the_worst_that_was_seen() -> None:
    ward = Ward()
    for symptom in ("unanswered", "failed", "not_ready"):
        ward.look(symptom)  # type: ignore[arg-type]
    (incident,) = ward.incidents.open()
    assert incident.symptom == "failed"


def test_each_subject_has_its_own() -> None:
    ward = Ward()
    ward.look("failed")
    ward.look("failed", subject=OTHER)
    assert len(ward.incidents.open()) == 2
    assert ward.look(None) == "closed"
    assert [incident.subject for incident in ward.incidents.open()] == [OTHER]


def test_one_that_freezes_again_and_again_must_be_well_longer_each_time_before_it_counts_as_cured() -> None:
    ward = Ward()
    held_s = []
    for _ in range(3):
        assert ward.look("unanswered", 1.0) == "opened"
        began_s = ward.now_s + 1
        while ward.look(None, 1.0) is None:
            pass
        held_s.append(ward.now_s - began_s)
    assert held_s == [0, 60, 120]


def test_flapping_is_one_incident_not_one_for_each_turn() -> None:
    ward = Ward()
    for _ in range(60):  # half a minute frozen, half a minute well, for an hour
        ward.look("unanswered")
        ward.look(None)
    assert [change.what for change in ward.told].count("opened") <= 3
    (incident,) = ward.incidents.open()
    assert incident.relapses > 40


def test_one_that_is_never_unready_for_long_but_again_and_again_is_unsteady() -> None:
    ward = Ward()
    said = []
    for _ in range(6):
        said += [ward.look("not_ready"), ward.look(None)]
    assert said.count("opened") == 1
    assert ward.told[0].incident.symptom == "unsteady"
    assert "fell ill 4 times within 15 minutes" in ward.told[0].incident.detail
    while ward.look(None) is None:
        pass
    assert ward.told[-1].what == "closed"
    assert [ward.look(None) for _ in range(200)] == [None] * 200


def test_one_that_was_stopped_by_hand_is_not_waited_for() -> None:
    ward = Ward()
    ward.look("failed")
    change = ward.incidents.dismiss(ONE, "stopped", NOON)
    assert change is not None
    assert (change.what, change.incident.outcome, change.incident.closed_at) == ("closed", "stopped", NOON)
    assert ward.incidents.dismiss(ONE, "stopped", NOON) is None


def test_incidents_of_a_former_run_are_not_told_of_anew_and_end_when_all_is_well() -> None:
    ward = Ward()
    left = Incident("inc_9", ONE, "failed", "why", NOON, NOON)
    ward.incidents.restore([left], 0.0)
    assert ward.look("failed") is None
    assert ward.look(None) == "closed"
    assert ward.told[0].incident.id == "inc_9"


SYMPTOMS = st.sampled_from([None, None, "not_ready", "restarting", "unanswered", "failed"])


@settings(max_examples=150)
@given(st.lists(st.tuples(SYMPTOMS, st.floats(1, 2000)), max_size=80))
def test_whatever_happens_opening_and_closing_alternate(steps: list[tuple[Symptom | None, float]]) -> None:
    ward = Ward()
    for symptom, after_s in steps:
        ward.look(symptom, after_s)
    turns = [change for change in ward.told if change.what != "reminded"]
    assert [change.what for change in turns] == (["opened", "closed"] * len(turns))[: len(turns)]
    assert bool(ward.incidents.open()) == (len(turns) % 2 == 1)
    for change in ward.told:
        assert change.incident.began_at <= change.incident.opened_at
    # Whatever happened, one that is well from now on is well in the end.
    for _ in range(20):
        ward.look(None, 100.0)
    assert ward.incidents.open() == []
    ward.look(None, 4000.0)
    assert not ward.incidents._cases
    assert not ward.incidents._pasts
