"""Warns where code that is not the project's own runs on the daemon's own loop."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.events import EventBus
from orchestrator.fleet.record import Record
from streams.stream import Stream

_OWN: Final = "streams"
"""The package of the streams that ship."""


class Outsiders:
    """Remembers of which streams it was told.

    Args:
        events: Where to tell.
    """

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._told: set[str] = set()

    def look_at(self, record: Record, kind: type[Stream[Any]]) -> None:
        """Tell once of a stream from an outside package that shares the daemon's process."""
        package = kind.__module__.partition(".")[0]
        if package == _OWN or record.isolation == "process" or record.stream in self._told:
            return
        self._told.add(record.stream)
        self._events.publish(
            "fleet.outside_code",
            "warning",
            stream=record.stream,
            package=package,
            detail=f"{record.stream} comes from the package {package!r}, and runs in the daemon's own process: it can "
            f'read what the daemon can. To confine it, set "isolation": "process" for it in fleet_config.json, scale '
            f"it to 0 and back, or deploy it with `--isolation process`",
        )
