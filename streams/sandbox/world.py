"""What the paper world has for one stream: the servers on its other side, and the visitors of its instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from actors import Actor, ActorRef
from streams.far_sides import FarSides
from streams.metering.messages import CreateKey

if TYPE_CHECKING:
    import aiohttp

MakeServer: TypeAlias = Callable[[int], Actor[Any]]
"""Makes a server's actor, given the port that it should listen on if it is free; 0 for any.

Its `on_start` listens and makes its far side known; its `on_stop` closes. Addresses are kept over restarts where
the ports are free."""


class Ground(msgspec.Struct, frozen=True):
    """What a paper world stands on.

    Attributes:
        directory: Its own, 0700; what is in it survives restarts. It may have to be made.
        host: Where servers listen.
        seed: What decides on everything that is random.
        visits_per_minute: How often each instance is visited on average, as the configuration says.
        http: Makes the shared HTTP client session; never close it.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        far_sides: Where servers make themselves known.
    """

    directory: Path
    host: str
    seed: int
    visits_per_minute: float
    http: Callable[[], aiohttp.ClientSession]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    far_sides: FarSides


class Visit(msgspec.Struct, frozen=True):
    """An instance that is ready for visitors.

    Attributes:
        instance: Its id.
        url: Where it listens, without a slash at the end.
        settings: Its settings.
        desk: Where its keys are sold, if it sells any.
    """

    instance: str
    url: str
    settings: dict[str, Any]
    desk: ActorRef[CreateKey]


class PaperWorld:
    """One stream's part of the paper world. Constructors do no work."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def servers(self) -> Mapping[str, MakeServer]:
        """Return the servers, by name; they are started before the stream's first instance, and supervised."""
        return {}

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]] | None:
        """Return what makes the visitor of an instance, for every life of it; None where it needs none.

        Called in a thread, for it may import what is heavy. The visitor goes when the instance does.
        """
        return None


class NotAPaperWorld(Exception):
    """A stream names a paper world that is none."""
