"""The catalog: the streams of this installation, found by entry point.

The streams that ship use the same door as those of outside packages: the group `automate.streams`, a name,
and a class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import invalidate_caches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import msgspec
import structlog

from config.names import Name
from streams.stream import Stream
from streams.transfers import INTERNAL

GROUP: Final = "automate.streams"

NAMES: Final = (
    "a stream's name has at most 64 letters, digits, '_', '.' and '-', the first a letter or digit, "
    f"and is not {INTERNAL!r}, which the accounts between instances are called"
)

_log = structlog.get_logger(__name__)


class UnknownStream(LookupError):
    """No stream of that name is installed."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no stream {name!r} is installed; there are {', '.join(known) or 'none'}")
        self.name = name


class BrokenStream(Exception):
    """A stream is installed, but its entry point does not lead to one."""

    def __init__(self, name: str, source: str, reason: str) -> None:
        super().__init__(f"the stream {name!r} cannot be loaded from {source}: {reason}")
        self.name = name


class Catalog(Mapping[str, type[Stream[Any]]]):
    """Streams by name; each is imported when it is first asked for.

    An entry point whose name cannot be one of a stream is logged and left out.
    Looking up what is not installed raises `UnknownStream`, and what is broken `BrokenStream`. A package that was
    installed since the last look is found; one that was removed is known until the process ends, since what was
    imported cannot be taken back.

    Args:
        points: Entry points to use instead of the installation's.
    """

    def __init__(self, points: Mapping[str, EntryPoint] | None = None) -> None:
        self._installed = points is None
        self._points = _usable(_installed() if points is None else points)
        self._loaded: dict[str, type[Stream[Any]]] = {}

    def __getitem__(self, name: str) -> type[Stream[Any]]:
        if name not in self._loaded:
            if name not in self._points and self._installed:
                # Installed into the running daemon's environment, maybe.
                invalidate_caches()
                self._points = _usable(_installed()) | self._points
            point = self._points.get(name)
            if point is None:
                raise UnknownStream(name, tuple(self._points))
            try:
                loaded = point.load()
            except (Exception, SystemExit) as error:
                raise BrokenStream(name, point.value, f"{type(error).__name__}: {error}") from error
            if not (isinstance(loaded, type) and issubclass(loaded, Stream)):
                raise BrokenStream(name, point.value, "it is no subclass of Stream")
            # Met here, by one thread: two that meet a type of msgspec's for the first time at once crash the process.
            for kind in (loaded.settings_type, *loaded.actions.values()):
                msgspec.json.Decoder(kind)
            self._loaded[name] = loaded
            _log.debug("catalog.loaded", stream=name, source=point.value)
        return self._loaded[name]

    def loaded(self, name: str) -> type[Stream[Any]] | None:
        """Return a stream that has been asked for before; None where that would first have to be imported."""
        return self._loaded.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _usable(points: Mapping[str, EntryPoint]) -> dict[str, EntryPoint]:
    usable = {name: point for name, point in sorted(points.items()) if _can_be_named(name)}
    for name in sorted(points.keys() - usable):
        _log.error("catalog.name_refused", stream=name, source=points[name].value, detail=NAMES)
    return usable


def _can_be_named(name: str) -> bool:
    # It becomes part of the names of directories and actors, and of the configuration.
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        return False
    return name != INTERNAL
