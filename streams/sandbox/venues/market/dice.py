"""Random numbers that are a function of what they are for: any of them can be drawn again, in any order."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

MILLION: Final = 1_000_000

_BELL_PARTS: Final = 12
_PART_MAX: Final = 2**32 - 1
# The sum of 12 uniform parts of [0, 1] has variance 1, and the shape of a bell.
_BELL_MIDDLE: Final = _BELL_PARTS * _PART_MAX // 2


class Dice:
    """Draws numbers by a seed and labels. Integers throughout, so that every machine draws the same.

    Args:
        seed: What decides on all of them.
    """

    __slots__ = ("_hash",)

    def __init__(self, seed: int | str) -> None:
        self._hash = blake2b(str(seed).encode(), digest_size=64)

    def digest(self, label: str) -> bytes:
        """Return 64 bytes."""
        drawn = self._hash.copy()
        drawn.update(b"/" + label.encode())
        return drawn.digest()

    def below(self, limit: int, label: str) -> int:
        """Return a whole number from 0 up to, and without, a limit (far below 2⁶⁴)."""
        return int.from_bytes(self.digest(label)[:16]) % limit

    def between(self, low: int, high: int, label: str) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1, label)

    def chance(self, parts_per_million: int, label: str) -> bool:
        """Return true that often."""
        return self.below(MILLION, label) < parts_per_million

    def bell(self, label: str) -> int:
        """Return a bell-shaped number in millionths of its standard deviation, within six of them."""
        digest = self.digest(label)
        total = sum(int.from_bytes(digest[at : at + 4]) for at in range(0, 4 * _BELL_PARTS, 4))
        return (total - _BELL_MIDDLE) * MILLION // _PART_MAX
