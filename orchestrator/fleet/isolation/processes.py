"""Makes the actors of instances in processes; one object for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from config.isolation import ProcessLimits
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.isolation.keeper import KEY, Keeper
from orchestrator.fleet.isolation.process_instance import ProcessInstance, Shared
from orchestrator.fleet.record import Record
from streams.commons import CommonDown, Lease
from streams.stream import Stream

_UP_AGAIN_S: Final = 30.0
_LOOK_S: Final = 0.05


class Processes:
    """Makes instances. The warden is started for the first of them, and stays until the commons end with the daemon.

    Args:
        around: What all instances share.
        limits: Reads the limits in force.
    """

    def __init__(self, around: Surroundings, limits: Callable[[], ProcessLimits]) -> None:
        self._around = around
        self._shared = Shared(limits, self._keeper)
        self._lease: Lease[Keeper] | None = None
        self._leasing = asyncio.Lock()

    def make(self, record: Record, kind: type[Stream[Any]]) -> ProcessInstance:
        """Return an instance's actor, for one life of it."""
        return ProcessInstance(record, kind, self._around, self._shared)

    async def _keeper(self) -> Keeper:
        async with self._leasing:
            if self._lease is None:
                self._lease = await self._around.commons.lease(KEY, Keeper)
        # A warden that failed is made anew within a second or two. That is no failure of the instances that wait for
        # it: it should not cost them their restart budget.
        async with asyncio.timeout(_UP_AGAIN_S):
            while True:
                with suppress(CommonDown):
                    keeper = self._lease.get()
                    if keeper.up:
                        return keeper
                await asyncio.sleep(_LOOK_S)
