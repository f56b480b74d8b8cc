"""A customer of one paid API: holds a key, and calls what it sells, over real HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import structlog

from actors import Actor, ActorError, ActorRef, Message, on
from config.saving import write_atomically
from streams.metering.messages import CreateKey

if TYPE_CHECKING:
    from collections.abc import Sequence

CALL_TIMEOUT_S = 10.0


class Purchase(msgspec.Struct, frozen=True):
    """A call that customers make: a product, and what they send it."""

    product: str
    body: Any


class CallNow(Message, frozen=True):
    """Make one call, and think of when to make the next."""


class ApiCustomer(Actor[CallNow]):
    """Calls one instance again and again, at the intervals of a Poisson process.

    What it pays is in the paper book. A customer who is refused stays one: a restart of the instance, a quota
    or a full disk are met by trying again later, as people do.

    Args:
        instance: Whom it calls.
        base_url: Where.
        desk: Where keys are sold.
        purchases: What it may call for.
        purse: The file in which it keeps its key.
        http: Makes the shared HTTP client session.
        calls_per_minute: How often on average.
        seed: What decides on calls and intervals.
    """

    handler_limit_s = 30.0

    def __init__(
        self,
        instance: str,
        base_url: str,
        desk: ActorRef[CreateKey],
        purchases: Sequence[Purchase],
        purse: Path,
        http: Callable[[], aiohttp.ClientSession],
        calls_per_minute: float,
        seed: str,
    ) -> None:
        self._instance = instance
        self._base_url = base_url
        self._desk = desk
        self._purchases = tuple(purchases)
        self._purse = purse
        self._http = http
        self._interval_s = 60.0 / calls_per_minute
        self._rng = random.Random(seed)  # noqa: S311 - a repeatable customer, not a secret
        self._key: str | None = None
        self._log = structlog.get_logger("sandbox.customer").bind(customer_of=instance)

    async def on_start(self) -> None:
        """Take up the key of a former life."""
        self._key = await asyncio.to_thread(self._read_purse)
        # Not all at once: the first calls are spread over a short while.
        self.context.schedule(self._rng.uniform(0.2, min(4.0, self._interval_s)), CallNow())

    @on(CallNow)
    async def call(self, _: CallNow) -> None:
        """Call, and schedule the next call."""
        try:
            await self._call(self._rng.choice(self._purchases))
        except (aiohttp.ClientError, TimeoutError, ActorError, OSError) as error:
            self._log.debug("customer.turned_away", reason=str(error) or type(error).__name__)
        finally:
            self.context.schedule(min(self._rng.expovariate(1 / self._interval_s), 300.0), CallNow())

    async def _call(self, purchase: Purchase) -> None:
        key = self._key or await self._buy_key()
        answer = self._http().post(
            f"{self._base_url}/v1/{purchase.product}",
            json=purchase.body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
        )
        async with answer as response:
            await response.read()
            if response.status == 401:
                self._key = None
                await asyncio.to_thread(self._purse.unlink, missing_ok=True)
            elif response.status >= 400:
                self._log.debug("customer.refused", status=response.status, product=purchase.product)

    async def _buy_key(self) -> str:
        made = await self._desk.ask(CreateKey(label="sandbox customer"), timeout=5.0)
        await asyncio.to_thread(write_atomically, self._purse, made.key.encode())
        self._key = made.key
        return made.key

    def _read_purse(self) -> str | None:
        try:
            return self._purse.read_text("ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self._log.warning("customer.purse_unreadable", reason=str(error))
            return None


def purchases_of(settings: Mapping[str, Any], examples: Mapping[str, Any]) -> list[Purchase]:
    """Return what can be bought of an instance with these settings.

    Args:
        settings: An instance's settings: its `products`.
        examples: What to send to each product.
    """
    return [Purchase(name, examples[name]) for name in settings.get("products", {}) if name in examples]
