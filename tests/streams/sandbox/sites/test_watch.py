"""A site knows who broke its rules, and bounds what it remembers."""

from __future__ import annotations

import pytest

from streams.sandbox.sites.watch import KEPT, Access, Watch, robot_in


def visit(at_s: float, path: str = "/", *, status: int = 200, robot: str = "Bot") -> Access:
    return Access(at_s, path, status, robot, is_conditional=False)


def test_one_who_keeps_to_the_rules_breaks_none() -> None:
    watch = Watch(("/cart",), 0.5)
    for place, at_s in enumerate((0.0, 0.5, 1.01, 1.6)):
        watch.note(visit(at_s, f"/{place}"), None)
    watch.note(visit(1.61, "/robots.txt"), None)
    assert watch.violations == {}


def test_broken_rules_are_told_apart() -> None:
    watch = Watch(("/cart",), 0.5)
    watch.note(visit(0.0, "/cart/1"), None)
    watch.note(visit(0.1, status=429), 10.0)
    watch.note(visit(3.0), None)
    assert watch.violations == {"disallowed": 1, "too_soon": 1, "in_pause": 1}


def test_people_go_where_they_like() -> None:
    watch = Watch(("/cart",), 0.5)
    for at_s in (0.0, 0.01):
        watch.note(visit(at_s, "/cart", robot=""), None)
    assert watch.violations == {}


def test_the_log_is_bounded() -> None:
    watch = Watch((), None)
    for number in range(KEPT + 50):
        watch.note(visit(number, f"/{number}", robot=f"Bot{number}"), None)
    assert len(watch.log) == KEPT
    assert len(watch._last_s) <= 100


@pytest.mark.parametrize(
    ("user_agent", "robot"),
    [
        ("AutomateHarvester/1.0 (+https://x)", "AutomateHarvester"),
        ("Mozilla/5.0 (X11)", ""),
        ("Python/3.11 aiohttp/3.14", ""),
        ("curl/8.0", ""),
        ("", ""),
    ],
)
def test_robots_are_known_by_their_names(user_agent: str, robot: str) -> None:
    assert robot_in(user_agent) == robot
