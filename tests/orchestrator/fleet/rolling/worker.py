"""A stream that works at a steady pace, as well as its settings let it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from streams.stream import Health, Stream

EVERY_S = 0.1


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    took_s: float = 0.01
    fails_every: int = 0
    idle: bool = False
    starts: bool = True
    crashes_after_s: float = 0.0


class Worker(Stream[WorkerSettings]):
    """Ten pieces of work a second."""

    name = "worker"
    settings_type = WorkerSettings

    @classmethod
    def blueprint(cls, n: int) -> Sequence[WorkerSettings]:
        return [WorkerSettings(number) for number in range(1, n + 1)]

    async def start(self) -> None:
        if not self.context.settings.starts:
            raise RuntimeError("it does not start")

    async def run(self) -> None:
        settings, done = self.context.settings, 0
        while not settings.idle:
            await asyncio.sleep(EVERY_S)
            done += 1
            failed = settings.fails_every > 0 and done % settings.fails_every == 0
            self.context.traffic.note(settings.took_s, failed=failed)
            if settings.crashes_after_s and done * EVERY_S >= settings.crashes_after_s:
                raise RuntimeError("it cannot go on")
        await asyncio.Event().wait()

    async def stop(self) -> None:
        pass

    def health(self) -> Health:
        return Health(ready=True)
