"""What time it is in the world, counted from its beginning, which its directory remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from config.saving import create_exclusively


class _Beginning(msgspec.Struct, frozen=True):
    began_at: datetime


class WorldTime:
    """The time of one world, for all its venues: a wall clock that is set must not drive them apart.

    Args:
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.now = now
        self.monotonic = monotonic
        self.sleep = sleep
        self._anchor: tuple[float, int] | None = None

    def open(self, directory: Path) -> None:
        """Find out when the world began: now, where the directory is new. Blocks. Once is enough.

        Raises:
            OSError: The directory cannot be written.
            msgspec.MsgspecError: The file in it is not what was written.
        """
        if self._anchor is not None:
            return
        file = directory / "world.json"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        began_at = self.now().astimezone(UTC)
        try:
            create_exclusively(file, msgspec.json.encode(_Beginning(began_at)))
        except FileExistsError:
            began_at = msgspec.json.decode(file.read_bytes(), type=_Beginning).began_at
        age_ms = self.unix_ms() - int(began_at.timestamp() * 1000)
        self._anchor = (self.monotonic(), max(age_ms, 0))

    def elapsed_ms(self) -> int:
        """Return how long the world has lasted. It must be open."""
        if self._anchor is None:
            raise RuntimeError("the world is not open yet")
        anchor_s, age_ms = self._anchor
        return age_ms + int((self.monotonic() - anchor_s) * 1000)

    def unix_ms(self) -> int:
        """Return the wall clock's time, Unix milliseconds."""
        return int(self.now().timestamp() * 1000)
