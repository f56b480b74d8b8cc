"""Response times and errors over 1, 5 and 15 minutes, as computed by hand."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.fleet.health.window import SPANS_S, Figures, Window


def test_a_window_without_probes_claims_nothing() -> None:
    assert Window().figures(60, 100.0) == Figures(60, 0, 0, None, None, None)


def test_each_span_has_its_own_figures() -> None:
    window = Window()
    for at_s in range(0, 900, 30):  # a quarter of an hour, each half minute, slower by a millisecond each
        late = at_s >= 840
        window.add(float(at_s), None if late else (at_s / 30 + 1) / 1000, wrong=late)
    last, five, all_of_it = (window.figures(span_s, 899.0) for span_s in SPANS_S)
    assert last == Figures(60, 2, 2, 1.0, None, None)
    assert five == Figures(300, 10, 2, 0.2, 24.0, 28.0)
    assert all_of_it == Figures(900, 30, 2, 0.0667, 14.0, 27.0)


def test_one_that_is_answered_late_and_one_that_is_not_well_both_count() -> None:
    window = Window()
    window.add(0.0, 0.002, wrong=True)
    window.add(1.0, None, wrong=True)
    window.add(2.0, 0.004, wrong=False)
    assert window.figures(60, 2.0) == Figures(60, 3, 2, 0.6667, 2.0, 4.0)


def test_what_no_span_reaches_is_forgotten() -> None:
    window = Window()
    window.add(0.0, 5.0, wrong=True)
    window.add(900.5, 0.001, wrong=False)
    assert window.figures(10_000, 900.5).probes == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 120), st.none() | st.floats(0, 10), st.booleans()), max_size=80))
def test_figures_are_those_of_the_probes_inside_the_span(probes: list[tuple[float, float | None, bool]]) -> None:
    window, at_s, seen = Window(), 0.0, []
    for gap_s, took_s, wrong in probes:
        at_s += gap_s
        window.add(at_s, took_s, wrong=wrong)
        seen.append((at_s, took_s, wrong))
    for span_s in SPANS_S:
        inside = [each for each in seen if each[0] > at_s - span_s]
        figures = window.figures(span_s, at_s)
        assert figures.probes == len(inside)
        assert figures.errors == sum(wrong for _, _, wrong in inside)
        answered = [took_s for _, took_s, _ in inside if took_s is not None]
        assert (figures.p95_ms is None) == (not answered)
        if answered and figures.p50_ms is not None and figures.p95_ms is not None:
            assert min(answered) * 1000 - 0.01 <= figures.p50_ms <= figures.p95_ms <= max(answered) * 1000 + 0.01


def test_a_thousand_full_windows_take_less_than_a_kilobyte_each() -> None:
    tracemalloc.start()
    try:
        windows = [Window() for _ in range(1000)]
        for window in windows:
            for at_s in range(0, 1800, 30):
                window.add(float(at_s), 0.001, wrong=False)
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
