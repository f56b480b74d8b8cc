"""Chance that can be repeated: the same seed and words give the same number, in any order and any process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Numbers that look random and follow from a seed and what they are for.

    Args:
        seed: What decides on all of them.
    """

    def __init__(self, seed: str) -> None:
        self._seed = seed

    def number(self, below: int, *words: object) -> int:
        """Return a whole number from 0 to below - 1 for these words."""
        text = "/".join((self._seed, *map(str, words)))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % below

    def pick(self, choices: Sequence[T], *words: object) -> T:
        """Return one of the choices for these words."""
        return choices[self.number(len(choices), *words)]


def tick(now: datetime, period_s: int, offset_s: int = 0) -> int:
    """Return how many periods have passed since 1970."""
    return (int(now.timestamp()) + offset_s) // period_s


def tick_began(number: int, period_s: int, offset_s: int = 0) -> datetime:
    """Return when a period began."""
    return datetime.fromtimestamp(number * period_s - offset_s, UTC)
