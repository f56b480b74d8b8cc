"""A customer who pays by key: keeps it in a purse, buys another when it is not known any more, and comes again."""

from __future__ import annotations

import abc
import asyncio
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import structlog

from actors import Actor, ActorError, ActorRef, Message, on
from config.saving import write_atomically
from streams.metering.messages import CreateKey

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

CALL_TIMEOUT_S: Final = 10.0

_LONGEST_REST_S: Final = 1_800.0


class CallNow(Message, frozen=True):
    """Make one call, and think of when to make the next."""


class KeyedCustomer(Actor[CallNow]):
    """Calls one instance again and again, at the intervals of a Poisson process.

    What it pays is in the paper book. A customer who is refused stays one: a restart of the instance, a quota
    or a full disk are met by trying again later, as people do.

    Args:
        instance: Whom it calls.
        base_url: Where.
        desk: Where keys are sold.
        purse: The file in which it keeps its key; its directory is made.
        http: Makes the shared HTTP client session.
        interval_s: How much time lies between two calls on average.
        seed: What decides on calls and intervals.

    Attributes:
        base_url: Where the instance is.
        http: Makes the shared HTTP client session.
        rng: Its whims; the same for the same seed.
    """

    handler_limit_s = 30.0

    def __init__(
        self,
        instance: str,
        base_url: str,
        desk: ActorRef[CreateKey],
        purse: Path,
        http: Callable[[], aiohttp.ClientSession],
        interval_s: float,
        seed: str,
    ) -> None:
        self.base_url = base_url
        self._desk = desk
        self._purse = purse
        self.http = http
        self._interval_s = interval_s
        self.rng = random.Random(seed)  # noqa: S311 - a repeatable customer, not a secret
        self._key: str | None = None
        self._log: FilteringBoundLogger = structlog.get_logger("sandbox.customer").bind(customer_of=instance)

    async def on_start(self) -> None:
        """Take up the key of a former life."""
        self._key = await asyncio.to_thread(self._read_purse)
        # Not all at once: the first calls are spread over a short while.
        self.context.schedule(self.rng.uniform(0.2, min(4.0, self._interval_s)), CallNow())

    @on(CallNow)
    async def call(self, _: CallNow) -> None:
        """Call, and schedule the next call."""
        next_s = None
        try:
            next_s = await self.make_call()
        except (aiohttp.ClientError, TimeoutError, ActorError, OSError) as error:
            self._log.debug("customer.turned_away", reason=str(error) or type(error).__name__)
        finally:
            rest_s = self.rng.expovariate(1 / self._interval_s) if next_s is None else next_s
            self.context.schedule(min(rest_s, _LONGEST_REST_S), CallNow())

    @abc.abstractmethod
    async def make_call(self) -> float | None:
        """Make one call; return after how many seconds to make the next, None for the usual interval."""

    async def ask(self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str] | None = None) -> int:
        """Send a request with the key, read its answer, and return its status.

        Raises:
            aiohttp.ClientError: There was no answer.
            TimeoutError: It took too long.
            ActorError: The desk sold no key.
            OSError: The key cannot be kept.
        """
        key = self._key or await self._buy_key()
        answer = self.http().request(
            method,
            self.base_url + path,
            json=body,
            headers={"Authorization": f"Bearer {key}", **(headers or {})},
            timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
        )
        async with answer as response:
            await response.read()
            if response.status == 401:
                self._key = None
                await asyncio.to_thread(self._purse.unlink, missing_ok=True)
            elif response.status >= 400:
                self._log.debug("customer.refused", status=response.status, path=path)
            return response.status

    async def _buy_key(self) -> str:
        made = await self._desk.ask(CreateKey(label="sandbox customer"), timeout=5.0)
        await asyncio.to_thread(self._fill_purse, made.key)
        self._key = made.key
        return made.key

    def _fill_purse(self, key: str) -> None:
        self._purse.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._purse, key.encode())

    def _read_purse(self) -> str | None:
        try:
            return self._purse.read_text("ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            self._log.warning("customer.purse_unreadable", reason=str(error))
            return None
