"""What the deployment manager asks of streams and of the configuration before instances change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from config.auto_scaling import SetBy
from config.errors import ConfigError, SaveError
from config.fleet import Fleet, Isolation, StreamPlan
from orchestrator.fleet.messages import NotAsAsked, NotFound, NotNow
from orchestrator.fleet.plan import Change, plan_count
from orchestrator.fleet.roster import Roster
from streams.catalog import BrokenStream, Catalog, UnknownStream
from streams.stream import Stream

MAX_COUNT = 10_000
"""Instances of one stream at most."""

KeepSettings = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Stores what a stream's later instances have their settings overlaid with."""


class StreamPlanner:
    """Plans counts, and keeps what is wanted of a stream as a whole.

    Args:
        catalog: The streams.
        fleet: Reads the fleet's configuration as it is in force.
        roster: What is wanted of the instances.
        keep_count: Stores the wanted count of a stream in the configuration, and who wants it.
        keep_settings: Stores the settings of a stream there; None where they are not kept.
    """

    def __init__(
        self,
        catalog: Catalog,
        fleet: Callable[[], Fleet],
        roster: Roster,
        keep_count: Callable[[str, int, SetBy], Awaitable[None]],
        keep_settings: KeepSettings | None = None,
    ) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._roster = roster
        self._keep_count = keep_count
        self._keep_settings = keep_settings

    def plan_of(self, stream: str) -> StreamPlan:
        """Return what the configuration says of a stream."""
        return self._fleet().streams.get(stream, StreamPlan())

    async def kind(self, stream: str) -> type[Stream[Any]]:
        """Return a stream's class, ready to be used on the loop; raises what speaks against running it."""
        loaded = self._catalog.loaded(stream)
        if loaded is not None:
            return loaded
        try:
            return await asyncio.to_thread(self._catalog.__getitem__, stream)  # the first time, it is imported
        except UnknownStream as error:
            raise NotFound(str(error)) from None
        except BrokenStream as error:
            raise NotNow(str(error)) from error

    async def planned(
        self,
        stream: str,
        wanted: int,
        overlay: Mapping[str, Any],
        kind: type[Stream[Any]] | None = None,
        asked: Mapping[str, Any] | None = None,
        isolation: Isolation | None = None,
    ) -> Change:
        """Return what brings a stream to a count; `changing` of the roster must be held. See `plan_count`.

        Raises:
            ActorError: It cannot be brought there.
        """
        if kind is None and wanted > len(self._roster.of_stream(stream)):
            kind = await self.kind(stream)
        # In a thread, for a blueprint is anybody's code, and may be long.
        return await asyncio.to_thread(
            plan_count,
            self._roster.records,
            stream,
            kind,
            wanted,
            port_base=self._fleet().port_base,
            overlay=overlay,
            asked=asked,
            reserved=self._roster.broken,
            isolation=isolation or self.plan_of(stream).isolation,
        )

    async def grown(self, stream: str, wanted: int, settings: Mapping[str, Any], isolation: Isolation | None) -> Change:
        """Return what adds instances with settings of their own until a stream has so many; else as `planned`.

        Raises:
            NotAsAsked: There would be too many.
        """
        refuse_too_many(wanted)
        overlay = self._fleet().streams.get(stream, StreamPlan(count=0)).settings
        return await self.planned(stream, wanted, overlay, await self.kind(stream), settings, isolation)

    async def keep_count(self, stream: str, count: int, by: SetBy = "hand") -> None:
        """Store the wanted count of a stream. Raises `NotNow`."""
        try:
            await self._keep_count(stream, count, by)
        except (ConfigError, SaveError) as error:
            raise NotNow(str(error)) from error

    async def keep_settings(self, stream: str, settings: Mapping[str, Any]) -> None:
        """Have a stream's later instances get these settings, too. Raises `NotNow`."""
        if self._keep_settings is None:
            return
        try:
            await self._keep_settings(stream, settings)
        except (ConfigError, SaveError) as error:
            raise NotNow(str(error)) from error


def refuse_too_many(count: int) -> None:
    """Raise `NotAsAsked` where a stream cannot have so many instances."""
    if not 0 <= count <= MAX_COUNT:
        raise NotAsAsked(f"a stream has from 0 to {MAX_COUNT} instances, not {count}")
