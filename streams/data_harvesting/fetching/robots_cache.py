"""Fetches robots.txt files, once for all, and keeps them for as long as RFC 9309 lets one.

| answer | meaning |
|---|---|
| 200 | its rules |
| 4xx, more than five redirects | unavailable: everything is allowed |
| 5xx, 429, no answer, an address that must not be reached | unreachable: nothing is allowed |
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, Protocol
from weakref import WeakValueDictionary

import msgspec

from streams.data_harvesting.fetching.outcome import FetchFailed, FetchRefused
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.throttling import note_answer, note_failure
from streams.data_harvesting.fetching.url_gate import Address, admit

if TYPE_CHECKING:
    from streams.data_harvesting.fetching.client import Answer, FetchClient
    from streams.data_harvesting.fetching.robots import Robots

MAX_AGE: Final = timedelta(hours=24)
_LEAST_AGE: Final = timedelta(minutes=5)
_UNREACHABLE_AGE: Final = timedelta(minutes=10)
_MAX_REDIRECTS: Final = 5
_MAX_ORIGINS: Final = 2000
_MAX_KEPT_BYTES: Final = 16 * 1024 * 1024
_MAX_AGE_OF: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE | re.ASCII)


class RobotsRecord(msgspec.Struct, frozen=True):
    """A robots.txt as it was had.

    Attributes:
        origin: Scheme, host and port that it holds for.
        meaning: See the module.
        body: Up to 500 KiB; empty but for `rules`.
        fetched_at: Aware UTC.
        good_until: Aware UTC, at most 24 hours later.
        detail: Why it is unreachable, for people.
    """

    origin: str
    meaning: Literal["rules", "unavailable", "unreachable"]
    body: bytes
    fetched_at: datetime
    good_until: datetime
    detail: str = ""

    def is_fresh(self, now: datetime) -> bool:
        """Return whether it still holds; one from the future does not."""
        return self.fetched_at <= now < self.good_until and self.good_until - self.fetched_at <= MAX_AGE


class HostMemory(Protocol):
    """What an instance remembers about hosts, beyond the life of its process."""

    async def recall_robots(self, origin: str) -> RobotsRecord | None:
        """Return the robots.txt of an origin, as long as it holds and perhaps longer."""
        ...

    async def keep_robots(self, record: RobotsRecord) -> None:
        """Keep a robots.txt in place of the one before."""
        ...

    async def keep_pause(self, authority: str, until: datetime) -> None:
        """Keep when a host may be asked again."""
        ...


class RobotsCache:
    """The robots.txt files of all origins that the process visits.

    Args:
        client: Fetches them.
        now: The time, aware UTC.
    """

    def __init__(self, client: FetchClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._records: dict[str, RobotsRecord] = {}
        self._parsed: dict[tuple[str, str], Robots] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # those that someone waits for

    async def of(self, address: Address, policy: FetchPolicy, memory: HostMemory) -> tuple[Robots, RobotsRecord]:
        """Return the rules for an address; fetch them where none are kept that are fresh.

        Raises:
            HostWaits: The host that has them is paused for longer than the policy's patience.
            FetchRefused: The host is at an address that is not to be reached.
        """
        origin = address.origin
        key = (origin, policy.product_token)
        record, robots = self._records.get(origin), self._parsed.get(key)
        if record is not None and robots is not None and record.is_fresh(self._now()):
            return robots, record
        turn = self._turns.setdefault(origin, asyncio.Lock())
        async with turn:
            record = self._records.get(origin)
            is_new = record is None or not record.is_fresh(self._now())
            if record is None or is_new:
                record = await self._renewed(origin, policy, memory)
            robots = self._parsed.get(key)
            if robots is None:
                robots = self._parsed[key] = await _parsed(record, policy.product_token)
            if is_new:
                # The request for it counts, and so may one that this process knows nothing of, from before its start.
                self._client.schedule.pause(address.authority, max(policy.min_delay_s, robots.crawl_delay_s or 0.0))
        return robots, record

    async def _renewed(self, origin: str, policy: FetchPolicy, memory: HostMemory) -> RobotsRecord:
        kept = await memory.recall_robots(origin)
        if kept is None or not kept.is_fresh(self._now()):
            kept = await self._fetched(origin, policy)
            await memory.keep_robots(kept)
        kept_bytes = sum(len(record.body) for record in self._records.values())
        if len(self._records) >= _MAX_ORIGINS or kept_bytes + len(kept.body) > _MAX_KEPT_BYTES:
            self._forget()
        self._records[origin] = kept
        for key in [key for key in self._parsed if key[0] == origin]:
            del self._parsed[key]
        return kept

    async def _fetched(self, origin: str, policy: FetchPolicy) -> RobotsRecord:
        from streams.data_harvesting.fetching.robots import MAX_ROBOTS_BYTES

        redirected = False
        try:
            address = admit(f"{origin}/robots.txt", policy, policy.reach())
            for _ in range(_MAX_REDIRECTS + 1):
                answer = await self._asked(address, policy, MAX_ROBOTS_BYTES + 1)
                target = answer.headers.get("location", "")
                if answer.status not in (301, 302, 303, 307, 308) or not target:
                    return self._judged(origin, answer)
                redirected = True
                address = admit(_joined(address, target), policy, policy.reach())
            return self._record(origin, "unavailable", detail=f"more than {_MAX_REDIRECTS} redirects")
        except (FetchRefused, FetchFailed) as error:
            if isinstance(error, FetchRefused) and error.reason == "address" and not redirected:
                raise  # the site itself is out of reach, and its pages are as well
            return self._record(origin, "unreachable", age=_UNREACHABLE_AGE, detail=error.detail)

    async def _asked(self, address: Address, policy: FetchPolicy, limit_bytes: int) -> Answer:
        schedule = self._client.schedule
        authority = address.authority
        async with schedule.turn(
            authority,
            concurrency=policy.concurrency_per_host,
            delay_s=policy.min_delay_s,
            patience_s=policy.patience_s,
        ):
            try:
                answer = await self._client.send(address, policy, limit_bytes=limit_bytes, cut=True)
            except FetchFailed:
                note_failure(schedule, authority, policy)
                raise
            note_answer(schedule, authority, answer, policy, self._now())
        return answer

    def _judged(self, origin: str, answer: Answer) -> RobotsRecord:
        if 200 <= answer.status < 300:
            said = _MAX_AGE_OF.search(answer.headers.get("cache-control", ""))
            age = min(max(timedelta(seconds=int(said[1])), _LEAST_AGE), MAX_AGE) if said else MAX_AGE
            return self._record(origin, "rules", answer.body, age)
        if 300 <= answer.status < 500 and answer.status != 429:
            return self._record(origin, "unavailable", detail=f"answered {answer.status}")
        return self._record(origin, "unreachable", age=_UNREACHABLE_AGE, detail=f"answered {answer.status}")

    def _record(
        self,
        origin: str,
        meaning: Literal["rules", "unavailable", "unreachable"],
        body: bytes = b"",
        age: timedelta = MAX_AGE,
        detail: str = "",
    ) -> RobotsRecord:
        now = self._now()
        return RobotsRecord(origin, meaning, body, now, now + age, detail)

    def _forget(self) -> None:
        now = self._now()
        stale = [origin for origin, record in self._records.items() if not record.is_fresh(now)]
        for origin in stale or list(self._records)[: (len(self._records) + 1) // 2]:
            del self._records[origin]
        self._parsed = {key: robots for key, robots in self._parsed.items() if key[0] in self._records}


def _joined(address: Address, target: str) -> str:
    from urllib.parse import urljoin

    try:
        return urljoin(str(address), target)
    except ValueError as error:
        raise FetchRefused(str(address), "malformed_url", f"redirects to nonsense: {error}") from None


async def _parsed(record: RobotsRecord, product_token: str) -> Robots:
    from streams.data_harvesting.fetching.robots import ALLOW_ALL, DISALLOW_ALL, parse_robots

    if record.meaning == "unavailable":
        return ALLOW_ALL
    if record.meaning == "unreachable":
        return DISALLOW_ALL
    if len(record.body) < 16 * 1024:
        return parse_robots(record.body, product_token)
    return await asyncio.to_thread(parse_robots, record.body, product_token)
