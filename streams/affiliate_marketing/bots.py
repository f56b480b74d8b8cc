"""Which visits are no clicks: machines, prefetches, and what does not say what it is.

The list of machines is the one that the field keeps together (crawler-user-agents: crawlers, previews, monitors,
HTTP libraries, automated browsers). In doubt a visit is no click: a click too few costs a commission, a
click too many costs the account at the network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Final

MAX_AGENT_BYTES: Final = 512
"""Longest User-Agent that is believed; browsers stay below 300."""

MAX_KNOWN_AGENTS: Final = 4096

PREFETCH_HEADERS: Final = frozenset({b"purpose", b"sec-purpose", b"x-purpose", b"x-moz"})
"""Headers by which a browser says that it fetches what nobody has asked for yet."""

_PREFETCHES: Final = (b"prefetch", b"prerender", b"preview")


def is_prefetch(value: bytes) -> bool:
    """Tell whether the value of such a header says that nobody has clicked yet."""
    purpose = value.lower()
    return any(word in purpose for word in _PREFETCHES)


class BotFilter:
    """Tells machines by their User-Agent; remembers its verdicts. One serves all instances of a process."""

    def __init__(self) -> None:
        self._known: dict[bytes, bool] = {}
        self._matcher: Callable[[str], bool] | None = None

    async def load(self) -> Callable[[str], bool]:
        """Read the list, once; it takes a thread some 50 ms."""
        if self._matcher is None:
            self._matcher = await asyncio.to_thread(_load)
        return self._matcher

    def known(self, agent: bytes) -> bool | None:
        """Return whether a User-Agent is a machine's, where that was found out before."""
        return self._known.get(agent)

    async def is_bot(self, agent: bytes) -> bool:
        """Return whether a User-Agent is a machine's. One that is empty, or longer than browsers send, is."""
        verdict = self._known.get(agent)
        if verdict is None:
            if not agent or len(agent) > MAX_AGENT_BYTES:
                return True
            matches = self._matcher or await self.load()
            verdict = matches(agent.decode("latin-1"))
            if len(self._known) >= MAX_KNOWN_AGENTS:
                # Agents come and go with the versions of browsers; the oldest verdict is the least use.
                self._known.pop(next(iter(self._known)), None)
            self._known[agent] = verdict
        return verdict


@lru_cache(maxsize=1)
def bot_filter() -> BotFilter:
    """Return the process's."""
    return BotFilter()


_loading: Final = threading.Lock()


def _load() -> Callable[[str], bool]:
    with _loading:
        return _matcher()


@lru_cache(maxsize=1)
def _matcher() -> Callable[[str], bool]:
    from crawleruseragents import is_crawler  # type: ignore[import-untyped]

    def matches(agent: str) -> bool:
        return bool(is_crawler(agent))

    matches("compiles the patterns")
    return matches
