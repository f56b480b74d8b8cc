"""Who wants to know which prices of a venue: kept apart from the desk, so that it outlives one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Watcher:
    """One instance that waits for prices to change.

    Attributes:
        symbols: The markets that it wants to know about.
        poll_s: How often it wants best prices asked for.
        depth_levels: How many levels of a book it wants.
        changed: Those markets that changed since it last looked.
    """

    def __init__(self, symbols: Iterable[str], wake: asyncio.Event, poll_s: float, depth_levels: int) -> None:
        self.symbols = frozenset(symbols)
        self.poll_s = poll_s
        self.depth_levels = depth_levels
        self.changed: set[str] = set()
        self._wake = wake

    def tell(self, symbols: set[str]) -> None:
        """Note which markets changed."""
        mine = symbols & self.symbols
        if mine:
            self.changed |= mine
            self._wake.set()

    def take(self) -> set[str]:
        """Return what changed since the last look."""
        changed, self.changed = self.changed, set()
        return changed


class Watchers:
    """All that watch one venue."""

    def __init__(self) -> None:
        self._watchers: dict[str, Watcher] = {}

    def add(self, owner: str, symbols: Iterable[str], wake: asyncio.Event, poll_s: float, depth_levels: int) -> Watcher:
        """Begin to tell somebody; the event is set when there is news."""
        watcher = self._watchers[owner] = Watcher(symbols, wake, poll_s, depth_levels)
        return watcher

    def remove(self, owner: str) -> None:
        """Tell somebody no more."""
        self._watchers.pop(owner, None)

    def symbols(self) -> frozenset[str]:
        """Return every market that anybody watches."""
        return frozenset().union(*(watcher.symbols for watcher in self._watchers.values()))

    def poll_s(self, otherwise: float) -> float:
        """Return how often the most eager asks."""
        return min((watcher.poll_s for watcher in self._watchers.values()), default=otherwise)

    def depth_levels(self, otherwise: int) -> int:
        """Return how much of a book the most curious wants."""
        return max((watcher.depth_levels for watcher in self._watchers.values()), default=otherwise)

    def tell(self, symbols: set[str]) -> None:
        """Tell everybody what changed."""
        for watcher in self._watchers.values():
            watcher.tell(symbols)
