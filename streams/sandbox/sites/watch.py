"""What a site notes of its visitors, and whether robots among them kept to its rules."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

import msgspec

KEPT: Final = 2_000
"""Visits that are kept of each site."""

_EARLY: Final = 0.6
"""A visit is too soon below this part of the delay: what sends and what notes may share a busy loop."""

_MAX_ROBOTS: Final = 100


class Access(msgspec.Struct, frozen=True):
    """One visit.

    Attributes:
        at_s: When it came, monotonic seconds.
        path: The path.
        status: What it was answered with.
        robot: The robot's name; empty for people and their programs.
        is_conditional: Whether it asked for what is new only.
    """

    at_s: float
    path: str
    status: int
    robot: str
    is_conditional: bool


class Watch:
    """One site's access log, bounded, and its count of broken rules.

    Args:
        disallowed: Paths that robots must not visit, by their beginnings.
        crawl_delay_s: Seconds between two visits of a robot; None for no rule.

    Attributes:
        log: The last visits, oldest first.
        violations: How often a rule was broken: `disallowed`, `too_soon` (before the crawl delay was over), or
            `in_pause` (before the Retry-After of an earlier answer was over).
    """

    def __init__(self, disallowed: tuple[str, ...], crawl_delay_s: float | None) -> None:
        self._disallowed = disallowed
        self._crawl_delay_s = crawl_delay_s or 0.0
        self._last_s: dict[str, float] = {}
        self._paused_until_s: dict[str, float] = {}
        self._visits: Counter[str] = Counter()
        self.log: deque[Access] = deque(maxlen=KEPT)
        self.violations: Counter[str] = Counter()

    def visits(self, path: str) -> int:
        """Return how often a path was visited."""
        return self._visits[path]

    def note(self, access: Access, retry_after_s: float | None) -> None:
        """Note a visit.

        Args:
            access: The visit.
            retry_after_s: How long its answer asks to stay away; None where it does not.
        """
        self.log.append(access)
        if access.status != 404:
            self._visits[access.path] += 1
        if not access.robot or access.path == "/robots.txt":
            return
        if any(access.path.startswith(path) for path in self._disallowed):
            self.violations["disallowed"] += 1
        if access.at_s < self._paused_until_s.get(access.robot, 0.0):
            self.violations["in_pause"] += 1
        last_s = self._last_s.get(access.robot)
        if last_s is not None and access.at_s - last_s < self._crawl_delay_s * _EARLY:
            self.violations["too_soon"] += 1
        if len(self._last_s) >= _MAX_ROBOTS:
            self._last_s.clear()
            self._paused_until_s.clear()
        self._last_s[access.robot] = access.at_s
        if retry_after_s is not None:
            self._paused_until_s[access.robot] = access.at_s + retry_after_s * _EARLY


def robot_in(user_agent: str) -> str:
    """Return the robot's name in a User-Agent header; empty where a person's browser or a program speaks."""
    product = user_agent.partition("/")[0].strip()[:64]
    return "" if not product or product == "Mozilla" or product.startswith(("Python", "curl", "aiohttp")) else product
