"""What customers met, from counts that looks found."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fleet.health.served import MARKS_APART_S, SPAN_S, ServedWindow
from streams.traffic import Traffic, TrafficCounts


def test_the_first_look_knows_nothing_of_what_was_before() -> None:
    window = ServedWindow()
    window.note(100.0, TrafficCounts(50, 5, {40: 50}))
    served = window.figures()
    assert (served.requests, served.errors, served.error_rate, served.p50_ms) == (0, 0, None, None)


def test_what_came_since_is_counted_with_its_errors_and_times() -> None:
    traffic, window = Traffic(), ServedWindow()
    traffic.note(1.0, failed=True)
    window.note(0.0, traffic.counts())
    for number in range(100):
        traffic.note(0.2 if number >= 90 else 0.001, failed=number >= 96)
    window.note(30.0, traffic.counts())
    served = window.figures()
    assert (served.span_s, served.requests, served.errors, served.error_rate) == (30.0, 100, 4, 0.04)
    assert served.p50_ms is not None
    assert served.p95_ms is not None
    assert 1.0 <= served.p50_ms <= 1.2
    assert 200.0 <= served.p95_ms <= 240.0


def test_an_instance_that_began_anew_is_counted_from_its_last_look_on() -> None:
    window = ServedWindow()
    window.note(0.0, TrafficCounts(100, 50, {40: 100}))
    window.note(30.0, TrafficCounts(200, 90, {40: 200}))
    window.note(60.0, TrafficCounts(7, 1, {20: 7}))
    served = window.figures()
    assert (served.span_s, served.requests, served.errors) == (30.0, 7, 1)


def test_what_is_older_than_a_quarter_of_an_hour_counts_no_more() -> None:
    window = ServedWindow()
    for minute in range(60):
        window.note(minute * 60.0, TrafficCounts(minute * 10, 0, {30: minute * 10}))
    served = window.figures()
    assert SPAN_S - MARKS_APART_S <= served.span_s <= SPAN_S + MARKS_APART_S
    assert served.requests == served.span_s / 60 * 10


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(1, 400), st.integers(0, 50), st.booleans()), min_size=1, max_size=60))
def test_figures_never_contradict_themselves(looks: list[tuple[float, int, bool]]) -> None:
    window, traffic, at_s = ServedWindow(), Traffic(), 0.0
    for gap_s, pieces, anew in looks:
        at_s += gap_s
        if anew:
            traffic = Traffic()
        for number in range(pieces):
            traffic.note(number / 1000, failed=number % 7 == 0)
        window.note(at_s, traffic.counts())
        served = window.figures()
        assert 0 <= served.errors <= served.requests
        assert served.span_s >= 0
        assert (served.p95_ms is None) == (served.requests == 0)
