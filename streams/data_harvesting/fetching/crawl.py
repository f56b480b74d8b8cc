"""Works off what is due: each host in its own lane, all hosts beside each other, until nothing is due."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from streams.data_harvesting.fetching.fetcher import Fetcher
from streams.data_harvesting.fetching.outcome import FetchFailed, FetchRefused, Gone, Page, RefusedBecause
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.store import CrawlStore, Link, Settled, Target
from streams.data_harvesting.parsing.fingerprint import page_digest

_LANES: Final = 64
_AHEAD: Final = 128
_HOST_IS_DOWN: Final = frozenset(("throttled", "host_paused", "robots_unreachable", "server_error"))
_LATER: Final = timedelta(days=1)
_MUCH_LATER: Final = timedelta(days=7)
_ASK_AGAIN: Final[dict[RefusedBecause, timedelta | None]] = {
    "robots": _LATER,
    "crawl_delay": _LATER,
    "address": _LATER,
    "too_many_redirects": _LATER,
    "redirect_loop": _LATER,
    "media_type": _MUCH_LATER,
    "encoding": _MUCH_LATER,
    "too_large": _MUCH_LATER,
}
"""When a refusal may have become another answer; what is refused for the URL's own sake is not asked for again."""


class Visited(msgspec.Struct, frozen=True):
    """What a visitor made of a page.

    Attributes:
        links: What it found that is worth a visit. Their depth is set by the crawl.
        digest: Of the content; None to have it computed from the body.
        revisit_after_s: When to come again; None for the crawl's default.
    """

    links: Sequence[Link] = ()
    digest: str | None = None
    revisit_after_s: float | None = None


Visit: TypeAlias = Callable[[Target, Page], Awaitable[Visited]]
"""Takes a page. It is called for unchanged ones too, and after a kill again for one that it may have seen."""


class _Lane:
    __slots__ = ("ahead", "authority", "turn", "workers")

    def __init__(self, authority: str) -> None:
        self.authority = authority
        self.ahead: deque[Target] = deque()
        self.turn = asyncio.Lock()
        self.workers = 0


class Crawl:
    """One instance's crawl.

    Args:
        fetcher: Fetches.
        store: The frontier, open.
        visit: Takes pages.
        policy: The rules.
        revisit_after_s: When a page is fetched again, where its visitor does not say.
        now: The time, aware UTC.
        accept: Media types that are taken; () for any.

    Attributes:
        counts: What happened since the start, for the funnel: `fetched`, of those `changed` and `unchanged`;
            `gone`; `refused.<reason>`, by `no_room` the links that the frontier had no room for; `failed.<reason>`;
            `visit_failed`; `found`, URLs that were new; `too_deep`, links past the policy's depth.
        last_error: What a visitor raised last.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        store: CrawlStore,
        visit: Visit,
        *,
        policy: FetchPolicy,
        revisit_after_s: float,
        now: Callable[[], datetime],
        accept: Collection[str] = (),
    ) -> None:
        self._fetcher = fetcher
        self._store = store
        self._visit = visit
        self._policy = policy
        self._revisit_after_s = revisit_after_s
        self._now = now
        self._accept = accept
        self._claimed: set[str] = set()
        self._held: dict[str, datetime] = {}
        self._lanes: dict[str, _Lane] = {}
        self._left: int | None = None
        self.counts: Counter[str] = Counter()
        self.last_error: Exception | None = None

    async def seed(self, links: Iterable[Link]) -> int:
        """Note where to begin. Return how many URLs are new."""
        new = sum((await self._store.add(links)).values())
        self.counts["found"] += new
        return new

    async def run_due(self, limit: int | None = None) -> int:
        """Fetch what is due, and what is found on the way, until nothing is due. Return how many tries there were.

        A host that asks for a pause is left until that is over; `next_due` knows when.

        Args:
            limit: The most tries; None for no limit.

        Raises:
            CommonDown: What the process shares has failed, and is not up again yet.
            sqlite3.Error: The frontier cannot be written.
        """
        self._left = limit
        begun = self._tries()
        self._held |= await self._store.pauses()
        try:
            while self._left is None or self._left > 0:
                now = self._now()
                ready = [each for each, time in (await self.due_at()).items() if time <= now][:_LANES]
                if not ready:
                    break
                try:
                    async with asyncio.TaskGroup() as group:
                        for authority in ready:
                            self._staff(group, authority, self._policy.concurrency_per_host)
                except* Exception as failed:
                    raise _first(failed) from failed
        finally:
            self._claimed.clear()
            self._lanes.clear()
        return self._tries() - begun

    async def due_at(self) -> dict[str, datetime]:
        """Return when each host is to be asked again."""
        never = datetime.min.replace(tzinfo=self._now().tzinfo)
        return {each: max(time, self._held.get(each, never)) for each, time in (await self._store.due_at()).items()}

    async def next_due(self) -> datetime | None:
        """Return when there is something to do again; None where there is nothing at all."""
        return min((await self.due_at()).values(), default=None)

    def _tries(self) -> int:
        return self.counts["tries"]

    def _staff(self, group: asyncio.TaskGroup, authority: str, workers: int) -> None:
        lane = self._lanes.get(authority)
        if lane is None:
            if len(self._lanes) >= _LANES:
                return  # its turn comes in the next round
            lane = self._lanes[authority] = _Lane(authority)
        for _ in range(min(workers, self._policy.concurrency_per_host - lane.workers)):
            lane.workers += 1
            group.create_task(self._work(group, lane), name=f"crawl {authority}")

    async def _work(self, group: asyncio.TaskGroup, lane: _Lane) -> None:
        try:
            while (target := await self._next(lane)) is not None:
                try:
                    for authority, count in (await self._try(target)).items():
                        self._staff(group, authority, count)
                finally:
                    self._claimed.discard(target.url)
        finally:
            lane.workers -= 1
            if lane.workers == 0:
                self._lanes.pop(lane.authority, None)

    async def _next(self, lane: _Lane) -> Target | None:
        if self._left == 0:
            return None
        async with lane.turn:
            if not lane.ahead:
                lane.ahead.extend(await self._store.due(lane.authority, _AHEAD, skip=self._claimed))
                self._claimed.update(target.url for target in lane.ahead)
            held = self._held.get(lane.authority)
            if not lane.ahead or self._left == 0 or (held is not None and held > self._now()):
                self._claimed.difference_update(target.url for target in lane.ahead)
                lane.ahead.clear()
                return None
            if self._left is not None:
                self._left -= 1
            self.counts["tries"] += 1
            return lane.ahead.popleft()

    async def _try(self, target: Target) -> dict[str, int]:
        """Fetch and hand over one URL. Return how many URLs were found that are new, by host."""
        try:
            page = await self._fetcher.fetch(target.original, validators=target.validators, accept=self._accept)
        except Gone as gone:
            self.counts["gone"] += 1
            next_at = None if gone.status == 410 else self._now() + _MUCH_LATER
            await self._store.settle(Settled(url=target.url, state="gone", next_at=next_at, reason=str(gone.status)))
        except FetchRefused as refused:
            self.counts[f"refused.{refused.reason}"] += 1
            after = _ASK_AGAIN.get(refused.reason)
            next_at = None if after is None else self._now() + after
            await self._store.settle(Settled(url=target.url, state="refused", next_at=next_at, reason=refused.reason))
        except FetchFailed as failed:
            self.counts[f"failed.{failed.reason}"] += 1
            await self._put_off(target, failed)
        else:
            self.counts["fetched"] += 1
            return await self._hand_over(target, page)
        return {}

    async def _hand_over(self, target: Target, page: Page) -> dict[str, int]:
        try:
            visited = await self._visit(target, page)
        except Exception as error:  # noqa: BLE001 - one page that a visitor cannot take must not end the crawl
            self.counts["visit_failed"] += 1
            self.last_error = error
            next_at = self._now() + timedelta(seconds=self._backoff_s(target))
            await self._store.settle(Settled(url=target.url, state="failed", next_at=next_at, reason="visit_failed"))
            return {}
        digest = target.digest if page.unchanged else visited.digest
        if digest is None:
            digest = await page_digest(page)
        changed = digest != target.digest
        self.counts["changed" if changed else "unchanged"] += 1
        # The links first: were it the other way round, a kill in between would lose them.
        found = await self._store.add(self._deeper(target, visited.links)) if visited.links else {}
        if self._store.turned_away:
            self.counts["refused.no_room"] = self._store.turned_away
        self.counts["found"] += sum(found.values())
        after_s = self._revisit_after_s if visited.revisit_after_s is None else visited.revisit_after_s
        validators = page.validators
        if page.unchanged and target.validators is not None and not (validators.etag or validators.last_modified):
            validators = target.validators
        await self._store.settle(
            Settled(
                url=target.url,
                state="visited",
                next_at=self._now() + timedelta(seconds=after_s),
                visited_at=page.fetched_at,
                validators=validators,
                digest=digest,
                changed=changed,
            )
        )
        return found

    def _deeper(self, target: Target, links: Sequence[Link]) -> list[Link]:
        depth = target.depth + 1
        if depth > self._policy.max_depth:
            self.counts["too_deep"] += len(links)
            return []
        return [Link(link.url, link.kind, depth) for link in links]

    async def _put_off(self, target: Target, failed: FetchFailed) -> None:
        if failed.reason in _HOST_IS_DOWN and failed.retry_at is not None:
            self._held[target.authority] = failed.retry_at
        if failed.reason in ("throttled", "host_paused", "robots_unreachable"):
            return  # not this URL's fault: it stays due, and its host is held
        next_at = self._now() + timedelta(seconds=self._backoff_s(target))
        if failed.retry_at is not None:
            next_at = max(next_at, failed.retry_at)
        await self._store.settle(Settled(url=target.url, state="failed", next_at=next_at, reason=failed.reason))

    def _backoff_s(self, target: Target) -> float:
        return float(min(self._policy.max_backoff_s, self._policy.backoff_s * 2.0 ** min(target.failures, 20)))


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return one of the failures; the others are in its cause."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    assert isinstance(inner, Exception)
    return inner
