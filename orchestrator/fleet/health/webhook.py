"""Alerts to somebody else's system, by Standard Webhooks: signed, tried again, in order, a bounded number of them.

The one address that is called is the one in the configuration: no redirect is followed, no proxy is asked, and no
more of an answer is read than its status. A message keeps its id through all attempts, so that a receiver who got it
twice can tell.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from config.health_monitoring import HealthMonitoring
from streams.webhooks import read_secrets, sign

if TYPE_CHECKING:
    import aiohttp

QUEUE_MOST: Final = 1_000
"""Messages that wait; beyond, the oldest of them are given up."""

DELAYS_S: Final = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
"""After how long each attempt is followed by another, the last one for ever."""

GIVE_UP_AFTER_S: Final = 86_400.0
"""A message that is older is news no more."""

_ATTEMPT_S: Final = 10.0
_GONE: Final = 410
_JITTER: Final = 0.2
_LONGEST_WISH_S: Final = 3600.0

_log = structlog.get_logger("health")


class Target(msgspec.Struct, frozen=True):
    """Where alerts are sent.

    Attributes:
        url: The address.
        secret: The signing secret, `whsec_…`; None where it is not set.
    """

    url: str
    secret: str | None = msgspec.field(default=None)

    def __repr__(self) -> str:
        return f"Target({self.url!r})"


def target_of(health: HealthMonitoring, secret: Callable[[str], str | None]) -> Target | None:
    """Return where the configuration has alerts sent, if anywhere.

    Args:
        health: The configuration.
        secret: Reads a secret of `.env`.
    """
    return None if health.webhook_url is None else Target(health.webhook_url, secret(health.webhook_secret))


class Delivery(msgspec.Struct, frozen=True):
    """How the deliveries go.

    Attributes:
        configured: Whether there is an address.
        waiting: Messages that wait.
        delivered: Messages that arrived.
        dropped: Messages that were given up.
        attempts: How often the first of those that wait was tried.
        problem: Why the last attempt failed; None where it did not.
    """

    configured: bool
    waiting: int
    delivered: int
    dropped: int
    attempts: int
    problem: str | None


class _Message(msgspec.Struct, frozen=True):
    id: str
    queued_s: float
    body: bytes


class _NotDelivered(Exception):
    """An attempt failed.

    Attributes:
        wait_s: How long the receiver wants to be left alone.
        final: Whether it never wants this.
    """

    def __init__(self, reason: str, wait_s: float = 0.0, *, final: bool = False) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.final = final


class Courier:
    """Delivers messages one after the other.

    Args:
        target: Reads where they go now; None where they go nowhere.
        session: Makes the shared HTTP client session.
        now: The time, aware UTC.
        sleep: Waits so many seconds.
        clock_s: Monotonic seconds.
    """

    def __init__(
        self,
        target: Callable[[], Target | None],
        session: Callable[[], aiohttp.ClientSession],
        now: Callable[[], datetime],
        clock_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._target = target
        self._session = session
        self._now = now
        self._clock_s = clock_s
        self._sleep = sleep
        self._waiting: deque[_Message] = deque()
        self._arrived = asyncio.Event()
        self._delivered = self._dropped = self._attempts = 0
        self._problem: str | None = None
        self._gone: str | None = None

    def submit(self, message_id: str, kind: str, data: dict[str, Any]) -> None:
        """Have a message delivered, if there is an address.

        Args:
            message_id: Names it for ever.
            kind: What it tells of, `health.alert`.
            data: What it says.
        """
        if self._target() is None:
            return
        body = msgspec.json.encode({"type": kind, "timestamp": self._now(), "data": data})
        self._waiting.append(_Message(message_id, self._clock_s(), body))
        if len(self._waiting) > QUEUE_MOST:
            # The first one may be on its way.
            del self._waiting[1]
            self._drop("too many wait")
        self._arrived.set()

    def statistics(self) -> Delivery:
        """Return how the deliveries go."""
        return Delivery(
            configured=self._target() is not None,
            waiting=len(self._waiting),
            delivered=self._delivered,
            dropped=self._dropped,
            attempts=self._attempts,
            problem=self._problem,
        )

    async def run(self) -> None:
        """Deliver, until cancelled."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await self._deliver(self._waiting[0])
            self._waiting.popleft()
            self._attempts = 0

    async def _deliver(self, message: _Message) -> None:
        while True:
            target = self._target()
            if target is None or target.url == self._gone:
                self._drop("there is no address any more" if target is None else "the receiver is gone for good")
                return
            if self._clock_s() - message.queued_s > GIVE_UP_AFTER_S:
                self._drop(f"it could not be delivered for {GIVE_UP_AFTER_S / 3600:g} hours")
                return
            self._attempts += 1
            try:
                await self._attempt(target, message)
            except _NotDelivered as failure:
                self._tell_failure(str(failure))
                if failure.final:
                    self._gone = target.url
                    continue
                planned_s = DELAYS_S[min(self._attempts, len(DELAYS_S)) - 1]
                delay_s = max(planned_s * random.uniform(1 - _JITTER, 1 + _JITTER), failure.wait_s)  # noqa: S311
                await self._sleep(delay_s)
            else:
                self._delivered += 1
                if self._problem is not None:
                    self._problem = None
                    _log.info("health.webhook_recovered", waiting=len(self._waiting) - 1)
                return

    async def _attempt(self, target: Target, message: _Message) -> None:
        headers = _signed(target, message, self._now())
        client = await asyncio.to_thread(import_module, "aiohttp")  # a quarter of a second, the first time
        try:
            async with self._session().post(
                target.url,
                data=message.body,
                headers=headers,
                allow_redirects=False,
                timeout=client.ClientTimeout(total=_ATTEMPT_S),
            ) as answer:
                status, wish = answer.status, answer.headers.get("Retry-After", "")
        except (client.ClientError, OSError, TimeoutError, ValueError) as error:
            raise _NotDelivered(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__) from error
        if 200 <= status < 300:
            return
        wait_s = min(float(wish), _LONGEST_WISH_S) if wish.isascii() and wish.isdigit() and len(wish) < 9 else 0.0
        raise _NotDelivered(f"it was answered with {status}", wait_s, final=status == _GONE)

    def _tell_failure(self, reason: str) -> None:
        if self._problem is None:  # once for each time that it begins to fail
            _log.warning("health.webhook_failed", reason=reason, waiting=len(self._waiting))
        self._problem = reason

    def _drop(self, reason: str) -> None:
        self._dropped += 1
        _log.warning("health.webhook_dropped", reason=reason, dropped=self._dropped)


def _signed(target: Target, message: _Message, now: datetime) -> dict[str, str]:
    """Return the headers of an attempt: the time, and so the signature, are the attempt's own."""
    if target.secret is None:
        raise _NotDelivered("the signing secret is not set in .env")
    try:
        keys = read_secrets(target.secret)
    except ValueError as error:
        raise _NotDelivered(str(error)) from error
    if not keys:
        raise _NotDelivered("the signing secret in .env is empty")
    timestamp_s = int(now.timestamp())
    # Several while one replaces another: the receiver takes the one it knows.
    signatures = " ".join(sign(key, message.id, timestamp_s, message.body) for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signatures,
    }
