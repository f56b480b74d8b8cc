"""Reading the log: its last lines, and what is added while one watches."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.logs.line import LEVELS
from orchestrator.logs.rotation import rotated
from orchestrator.logs.setup import UnknownLevelError

MAX_TAIL_LINES: Final = 10_000
_MAX_TAIL_BYTES: Final = 16 * 1024 * 1024
_MAX_SCAN_BYTES: Final = 256 * 1024 * 1024
_MAX_ROTATED: Final = 64
_BLOCK_BYTES: Final = 256 * 1024
_POLL_S: Final = 0.25


class _Filter(msgspec.Struct, frozen=True):
    level: str = ""
    instance: str | None = None


_decoder: Final = msgspec.json.Decoder(_Filter)


class _Matcher(msgspec.Struct, frozen=True):
    """Which lines are wanted."""

    min_level: int
    instance: str | None
    hint: bytes

    def __call__(self, line: bytes) -> bool:
        """Return whether a line is wanted; what is not a whole log line never is."""
        if not line.startswith(b"{") or self.hint not in line:
            return False
        try:
            seen = _decoder.decode(line)
        except msgspec.DecodeError:
            return False
        if self.instance is not None and seen.instance != self.instance:
            return False
        return LEVELS.get(seen.level, 0) >= self.min_level


class _Position(msgspec.Struct, frozen=True):
    """How far the log has been read: everything before this offset of this very file."""

    identity: tuple[int, int] | None
    offset: int


class LogReader:
    """Reads a log file: first what stands in it, then what is added after that, with nothing lost between.

    All reading is done in threads, in small steps. Rotated files are read, too, as far as 256 MiB back, and
    following goes on across a rotation. Torn lines are left out.

    Args:
        log_file: The daemon's file, or an instance's; it need not exist yet.
        level: The lowest level that is wanted.
        instance: The instance that lines must be about.

    Raises:
        UnknownLevelError: There is no such level.
    """

    def __init__(self, log_file: Path, *, level: str | None = None, instance: str | None = None) -> None:
        if level is not None and level not in LEVELS:
            raise UnknownLevelError(level, "the level to show")
        hint = msgspec.json.encode(instance) if instance is not None else b""
        self._matcher = _Matcher(LEVELS[level] if level is not None else 0, instance, hint)
        self._log_file = log_file
        self._position: _Position | None = None

    async def last(self, lines: int) -> list[bytes]:
        """Return the last matching lines, oldest first, each as it was written, without its line feed.

        Args:
            lines: How many, at most `MAX_TAIL_LINES`; 0 for none, where only what is added is wanted.

        Raises:
            ValueError: `lines` is out of range.
            OSError: The file cannot be read.
        """
        if not 0 <= lines <= MAX_TAIL_LINES:
            raise ValueError(f"lines must be between 0 and {MAX_TAIL_LINES}, not {lines}")
        self._position = await self._end()
        found: list[bytes] = []
        if not lines:
            return found
        found_bytes = 0
        scan = _backwards(self._log_file, self._position)
        while (step := await asyncio.to_thread(next, scan, None)) is not None:
            for line in reversed(await asyncio.to_thread(_matching, step, self._matcher)):
                found.append(line)
                found_bytes += len(line)
                if len(found) == lines or found_bytes >= _MAX_TAIL_BYTES:
                    return found[::-1]
        return found[::-1]

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """Yield what is added after the last call of `last`, or else from now on, for ever.

        New lines are seen within a quarter of a second.

        Raises:
            OSError: The file cannot be read.
        """
        position = self._position or await self._end()
        while True:
            new, position, more = await asyncio.to_thread(_forwards, self._log_file, position, self._matcher)
            for line in new:
                yield line
            if not more:
                await asyncio.sleep(_POLL_S)

    async def _end(self) -> _Position:
        return await asyncio.to_thread(_end_of, self._log_file)


async def tail(
    log_file: Path,
    *,
    lines: int,
    follow: bool = False,
    level: str | None = None,
    instance: str | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield the last matching lines, oldest first, and with `follow` those that are added, for ever.

    `LogReader` says what the arguments are, what is read, and what is raised.
    """
    reader = LogReader(log_file, level=level, instance=instance)
    for line in await reader.last(lines):
        yield line
    if follow:
        async for line in reader.follow():
            yield line


def _matching(block: bytes, matcher: _Matcher) -> list[bytes]:
    return [line for line in block.split(b"\n") if matcher(line)]


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _end_of(log_file: Path) -> _Position:
    """Return the position behind the last whole line."""
    try:
        with log_file.open("rb") as file:
            status = os.fstat(file.fileno())
            start = max(0, status.st_size - _BLOCK_BYTES)
            file.seek(start)
            block = file.read(status.st_size - start)
    except FileNotFoundError:
        return _Position(None, 0)
    whole = block.rfind(b"\n") + 1
    return _Position(_identity(status), start + whole)


def _backwards(log_file: Path, end: _Position) -> Iterator[bytes]:
    """Yield blocks of whole lines, the newest first, from the position back through the rotated files."""
    left = _MAX_SCAN_BYTES
    reached = end.identity is None
    for number in range(_MAX_ROTATED):
        try:
            with rotated(log_file, number).open("rb") as file:
                status = os.fstat(file.fileno())
                size = status.st_size
                if not reached:
                    # The file may have been rotated since its end was looked up.
                    if _identity(status) != end.identity:
                        continue
                    reached, size = True, end.offset
                tail_of_line = b""
                while size > 0 and left > 0:
                    step = min(size, _BLOCK_BYTES)
                    size -= step
                    left -= step
                    file.seek(size)
                    block = file.read(step) + tail_of_line
                    first = block.find(b"\n") + 1 if size else 0
                    tail_of_line = block[:first]
                    yield block[first:]
        except FileNotFoundError:
            if number:
                return


def _forwards(log_file: Path, position: _Position, matcher: _Matcher) -> tuple[list[bytes], _Position, bool]:
    """Read one step on; return the wanted lines, the new position, and whether there is more to read."""
    number = _place_of(log_file, position)
    path = rotated(log_file, number)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if _identity(status) != position.identity:
                position = _Position(_identity(status), 0)
            elif status.st_size < position.offset:
                position = _Position(position.identity, 0)  # it was cut short where it stands
            file.seek(position.offset)
            block = file.read(_BLOCK_BYTES)
    except FileNotFoundError:
        return [], position, False
    whole = block.rfind(b"\n") + 1
    if not whole and len(block) == _BLOCK_BYTES:
        whole = len(block)  # no line is this long
    if whole:
        position = _Position(position.identity, position.offset + whole)
        return _matching(block[:whole], matcher), position, True
    if number == 0:
        return [], position, False
    # This file is read; go on with the one that came after it.
    try:
        after = rotated(log_file, number - 1).stat()
    except FileNotFoundError:
        return [], position, False
    return [], _Position(_identity(after), 0), True


def _place_of(log_file: Path, position: _Position) -> int:
    """Return which rotated file the position is in; 0, the newest, when that file is gone."""
    if position.identity is None:
        return 0
    for number in range(_MAX_ROTATED):
        try:
            if _identity(rotated(log_file, number).stat()) == position.identity:
                return number
        except FileNotFoundError:
            if number:
                break
    return 0
