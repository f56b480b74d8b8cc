"""The kill switch: once open it stays open, over restarts, until a person closes it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from config.saving import write_atomically

SWITCH_FILE: Final = "kill_switch.json"

_MIN_ATTEMPTS: Final = 8


class Halted(msgspec.Struct, frozen=True):
    """Why nothing is traded.

    Attributes:
        reason: For people.
        at: Since when, UTC.
    """

    reason: str
    at: datetime


class _Left(msgspec.Struct, frozen=True):
    """How the switch was left, as the file has it.

    Attributes:
        at: When.
        reason: Why it was opened; empty where a person closed it.
    """

    at: datetime
    reason: str = ""


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_LEFT: Final = msgspec.json.Decoder(_Left)


class KillSwitch:
    """Latched: what opens it first is its reason, and only `rearm` closes it.

    It opens in memory at once, and on disk as soon as the disk takes it: `save` tries again where it did not. What
    cannot be read counts as open.

    Args:
        directory: The instance's directory.
        now: The time, aware UTC.
    """

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self._file = directory / SWITCH_FILE
        self._now = now
        self._halted: Halted | None = None
        self._is_saved = True

    @property
    def halted(self) -> Halted | None:
        """Why nothing is traded; None where the switch is closed."""
        return self._halted

    async def load(self) -> None:
        """Take up how the switch was left; after `take_over`."""
        left = await asyncio.to_thread(self._read)
        if left is None:
            return
        if left.reason and self._halted is None:
            self._halted = Halted(left.reason, left.at)
        elif not left.reason and self._halted is not None and self._halted.at <= left.at:
            self._halted, self._is_saved = None, True  # closed by a person after that checkpoint was made

    def take_over(self, halted: Halted | None) -> None:
        """Take up a checkpoint: it can open the switch, never close it."""
        if self._halted is None:
            self._halted, self._is_saved = halted, halted is None

    async def halt(self, reason: str) -> bool:
        """Open the switch; what is open stays as it is. Returns whether it was closed before."""
        if self._halted is not None:
            return False
        self._halted, self._is_saved = Halted(reason, self._now()), False
        await self.save()
        return True

    async def save(self) -> bool:
        """Write what is not on disk yet; a full disk keeps nobody trading. Returns whether all is written."""
        if self._halted is not None and not self._is_saved:
            try:
                await asyncio.to_thread(self._write, _Left(self._halted.at, self._halted.reason))
            except OSError:
                return False
            self._is_saved = True
        return True

    async def rearm(self) -> bool:
        """Close the switch. Returns whether it was open. Raises OSError where that cannot be kept; it stays open."""
        if self._halted is None:
            return False
        await asyncio.to_thread(self._write, _Left(self._now()))
        self._halted, self._is_saved = None, True
        return True

    def _read(self) -> _Left | None:
        try:
            return _LEFT.decode(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            return _Left(self._now(), f"{SWITCH_FILE} cannot be read: {error}")

    def _write(self, left: _Left) -> None:
        write_atomically(self._file, msgspec.json.encode(left))


class ErrorRate:
    """How many of the last orders went wrong.

    Args:
        window: How many are looked at.
    """

    def __init__(self, window: int = 20) -> None:
        self._last: deque[bool] = deque(maxlen=window)

    def count(self, *, failed: bool) -> None:
        """Take up the outcome of one."""
        self._last.append(failed)

    def above(self, share: float) -> bool:
        """Return whether more than a share went wrong, of enough to tell."""
        return len(self._last) >= _MIN_ATTEMPTS and sum(self._last) > share * len(self._last)

    def forget(self) -> None:
        """Begin anew."""
        self._last.clear()
