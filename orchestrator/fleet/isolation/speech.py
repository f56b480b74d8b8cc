"""The log of a child: its lines, composed as everywhere, and sent to the daemon instead of to a file."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any, Final

import structlog

from orchestrator.fleet.isolation.channel import Channel
from orchestrator.fleet.isolation.frames import ENCODER, Level, Said
from orchestrator.logs.line import LEVELS, Line, compose
from orchestrator.logs.standard import StandardLogging

_HEAD: Final = ("timestamp", "level", "event", "logger")


class Speech:
    """Sends lines while the channel is not congested; what comes beyond is dropped and counted.

    Args:
        channel: To the daemon.
        level: The lowest level that is logged.
    """

    def __init__(self, channel: Channel, level: Level) -> None:
        self._channel = channel
        self._level = LEVELS[level]
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._dropped = 0

    def take_over(self) -> None:
        """Send what is logged in this process from now on, by structlog or by the standard library."""
        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, _compose],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            logger_factory=lambda *names: _Outlet(str(names[0]) if names else "stream", self),
            cache_logger_on_first_use=False,
        )
        StandardLogging(self.submit).install(self._level)

    def submit(self, line: Line) -> None:
        """Send a line; from any thread."""
        if threading.get_ident() == self._thread:
            self._send(line)
        else:
            self._loop.call_soon_threadsafe(self._send, line)

    def _send(self, line: Line) -> None:
        if self._channel.congested:
            self._dropped += 1
            return
        fields = {name: value for name, value in line.fields.items() if name not in _HEAD}
        if self._dropped:
            fields["lines_dropped_before"], self._dropped = self._dropped, 0
        said = line.fields
        self._channel.send(ENCODER.encode(Said(said["level"], said["logger"], said["event"], fields)))


class _Outlet:
    """What structlog calls a logger."""

    def __init__(self, name: str, speech: Speech) -> None:
        self.name = name
        self.msg = speech.submit
        self.debug = self.info = self.warning = self.error = self.critical = self.msg


def _compose(logger: Any, method: str, event: structlog.typing.EventDict) -> tuple[tuple[Line], dict[str, Any]]:
    if event.get("exc_info") in (True, 1):
        event["exc_info"] = sys.exc_info()
    return (compose(method if method in LEVELS else "info", logger.name, event),), {}
