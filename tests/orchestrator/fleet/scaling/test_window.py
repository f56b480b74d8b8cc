"""What lasts is told from what flickers."""

from __future__ import annotations

from orchestrator.fleet.scaling.window import LoadWindow


def window(*loads: float | None, every_s: float = 60.0) -> LoadWindow:
    made = LoadWindow()
    for number, load in enumerate(loads):
        made.add(number * every_s, load, every_s, 600)
    return made


def test_nothing_lasts_that_has_not_been_seen_for_so_long() -> None:
    assert window().least(0) is None
    assert window(0.9).least(0) == 0.9
    assert window(0.9, 0.9).least(180) is None
    assert window(0.9, 0.85, 0.95, 0.99).least(180) == 0.85
    assert window(0.1, 0.9, 0.85, 0.95, 0.99).least(180) == 0.85
    assert window(0.1, 0.9, 0.85, 0.95, 0.99).most(240) == 0.99


def test_what_is_missing_counts_for_nothing_upwards_and_for_everything_downwards() -> None:
    missing = window(0.5, None, 0.5)
    assert (missing.least(120), missing.most(120)) == (0.0, 1.0)
    assert missing.lasted_s(lambda load: load == 0.5) == 0.0
    assert window(None, 0.5, 0.5).lasted_s(lambda load: load == 0.5) == 60.0


def test_a_look_that_comes_a_moment_late_is_in_the_window_all_the_same() -> None:
    made = LoadWindow()
    for t_s in (0.002, 60.0, 120.004, 180.001):
        made.add(t_s, 0.9, 60, 600)
    assert made.least(180) == 0.9


def test_after_a_pause_or_a_step_back_of_the_clock_what_was_before_is_stale() -> None:
    for then_s in (331.0, -1.0):
        made = window(0.9, 0.9, 0.9, 0.9)
        assert made.add(then_s, 0.9, 60, 600)
        assert made.least(180) is None
        assert made.least(0) == 0.9
    assert not window(0.9, 0.9, 0.9, 0.9).add(329.0, 0.9, 60, 600)


def test_it_does_not_grow_without_end() -> None:
    made = window(*[0.5] * 1000)
    assert len(made._samples) <= 600 / 60 + 2
