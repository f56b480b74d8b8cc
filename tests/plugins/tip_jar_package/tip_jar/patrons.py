"""The jar's part of the paper world: a provider that signs, and patrons who give."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import aiohttp
import anyio
import msgspec

from actors import Actor, Message, on
from streams.far_sides import FarSide
from streams.sandbox.world import Ground, MakeServer, PaperWorld, Visit
from tip_jar.stream import Tip, sign


class Provider(Actor[Any]):
    """Keeps the secret that its receipts are signed with."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    async def on_start(self) -> None:
        file = anyio.Path(self.ground.directory / "secret")
        if not await file.exists():
            await file.touch(mode=0o600)
            await file.write_text(os.urandom(16).hex())
        self.ground.far_sides.add(FarSide("provider.tips", "", {"secret": await file.read_text()}))

    async def on_stop(self, reason: BaseException | None) -> None:
        self.ground.far_sides.remove("provider.tips")


class Give(Message, frozen=True):
    """Give a tip, and think of when to give the next."""


class Patron(Actor[Give]):
    """Tips one jar, again and again."""

    def __init__(self, ground: Ground, visit: Visit) -> None:
        self.ground = ground
        self.visit = visit
        self.rng = random.Random(f"{ground.seed}/{visit.instance}")

    async def on_start(self) -> None:
        self.context.schedule(0.1, Give())

    @on(Give)
    async def give(self, _: Give) -> None:
        provider = self.ground.far_sides.find("provider.tips")
        if provider is not None:
            tip = Tip(os.urandom(8).hex(), self.rng.randrange(100_000, 5_000_000, 10_000))
            receipt = msgspec.json.encode(tip)
            signature = sign(provider.credentials["secret"], receipt)
            try:
                answer = self.ground.http().post(
                    f"{self.visit.url}/tips", data=receipt, headers={"X-Signature": signature}
                )
                async with answer as response:
                    await response.read()
            except (aiohttp.ClientError, TimeoutError):
                pass  # the money is not given
        self.context.schedule(self.rng.expovariate(self.ground.visits_per_minute / 60), Give())


class PatronsWorld(PaperWorld):
    """A provider for all, a patron for each."""

    def servers(self) -> Mapping[str, MakeServer]:
        return {"provider.tips": lambda port: Provider(self.ground)}

    def visitor(self, visit: Visit) -> Callable[[], Actor[Any]]:
        return partial(Patron, self.ground, visit)
