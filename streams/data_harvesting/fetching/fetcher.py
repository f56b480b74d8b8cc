"""Fetches a URL for one instance: every hop under robots.txt, the host's schedule, the gates and the caps."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urljoin

from streams.data_harvesting.fetching.client import Answer, FetchClient
from streams.data_harvesting.fetching.outcome import (
    FailedBecause,
    FetchFailed,
    FetchRefused,
    Gone,
    Page,
    RobotsTerms,
    Validators,
)
from streams.data_harvesting.fetching.policy import FetchPolicy
from streams.data_harvesting.fetching.robots_cache import HostMemory
from streams.data_harvesting.fetching.schedule import HostWaits
from streams.data_harvesting.fetching.throttling import THROTTLED, note_answer, note_failure
from streams.data_harvesting.fetching.url_gate import Address, admit
from streams.turns import Share, Turns

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_GONE: Final = frozenset((404, 410))
_MAX_VALIDATOR_LENGTH: Final = 1000


class Fetcher:
    """Fetches pages; any number at a time, and each waits for its turn.

    Args:
        client: Returns what the process shares, as it is now; a lease's `get`.
        policy: The rules.
        memory: What is known of hosts from before.
        now: The time, aware UTC.
        obey_robots: Only for sites of one's own: without it, no robots.txt is asked for.
        turns: Where fetches take their turn among those of other instances, once the host allows them.
    """

    def __init__(
        self,
        client: Callable[[], FetchClient],
        policy: FetchPolicy,
        memory: HostMemory,
        now: Callable[[], datetime],
        *,
        obey_robots: bool = True,
        turns: Turns | None = None,
    ) -> None:
        self._client = client
        self._policy = policy
        self._memory = memory
        self._now = now
        self._obey_robots = obey_robots
        self._turns = turns if turns is not None else Share.unlimited().errands

    async def fetch(self, url: str, *, validators: Validators | None = None, accept: Collection[str] = ()) -> Page:
        """Fetch a URL.

        Args:
            url: An absolute URL.
            validators: Of the last answer; the request is conditional where they belong to the URL that answers, and
                its site's terms are as they were.
            accept: Media types that are taken, `text/html` or `application/*`; () for any.

        Raises:
            FetchRefused: It is not fetched, or its answer not taken, by rule.
            FetchFailed: It did not work this time.
            Gone: There is nothing.
            CommonDown: What the process shares has failed, and is not up again yet.
        """
        policy = self._policy
        address = admit(url, policy, policy.reach())
        seen = {str(address)}
        for _ in range(policy.max_redirects + 1):
            answer, terms, conditional = await self._hop(address, validators, accept)
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return self._page(url, address, answer, terms, conditional=conditional)
            address = admit(_joined(address, location), policy, policy.reach())
            if str(address) in seen:
                raise FetchRefused(str(address), "redirect_loop", "redirects in a circle")
            seen.add(str(address))
        raise FetchRefused(str(address), "too_many_redirects", f"more than {policy.max_redirects} redirects")

    async def _hop(
        self, address: Address, validators: Validators | None, accept: Collection[str]
    ) -> tuple[Answer, RobotsTerms, bool]:
        """Ask one address; return its answer, its site's terms, and whether the request was conditional."""
        client, policy, authority = self._client(), self._policy, address.authority
        try:
            delay_s, strict, terms = await self._permission(client, address)
            conditions = _conditions(validators, str(address), terms)
            headers = {**_accept_header(accept), **conditions}
            async with client.schedule.turn(
                authority,
                concurrency=1 if strict else policy.concurrency_per_host,
                delay_s=delay_s,
                strict=strict,
                patience_s=max(policy.patience_s, delay_s),
            ):
                try:
                    async with self._turns.turn():
                        answer = await client.send(
                            address, policy, headers, limit_bytes=policy.max_body_bytes, accept=accept
                        )
                except FetchFailed as error:
                    pause_s = note_failure(client.schedule, authority, policy)
                    error.retry_at = self._now() + timedelta(seconds=pause_s)
                    raise
                pause = note_answer(client.schedule, authority, answer, policy, self._now())
        except HostWaits as waits:
            retry_at = self._now() + timedelta(seconds=waits.wait_s)
            raise FetchFailed(str(address), "host_paused", f"{authority}: {waits}", retry_at=retry_at) from None
        if pause is not None:
            await self._raise_paused(address, answer, pause)
        return answer, terms, bool(conditions)

    async def _permission(self, client: FetchClient, address: Address) -> tuple[float, bool, RobotsTerms]:
        policy, url = self._policy, str(address)
        if not self._obey_robots:
            return policy.min_delay_s, False, RobotsTerms()
        robots, record = await client.robots.of(address, policy, self._memory)
        if record.meaning == "unreachable":
            detail = f"its robots.txt is unreachable ({record.detail}), so nothing is allowed"
            raise FetchFailed(url, "robots_unreachable", detail, retry_at=record.good_until)
        if not robots.allows(url):
            raise FetchRefused(url, "robots", "robots.txt disallows it")
        delay_s = robots.crawl_delay_s or 0.0
        if delay_s > policy.max_crawl_delay_s:
            detail = f"asks for {delay_s:g} s between requests, more than {policy.max_crawl_delay_s:g} s"
            raise FetchRefused(url, "crawl_delay", detail)
        return max(delay_s, policy.min_delay_s), delay_s > 0, robots.terms

    async def _raise_paused(self, address: Address, answer: Answer, pause_s: float) -> None:
        retry_at = self._now() + timedelta(seconds=pause_s)
        await self._memory.keep_pause(address.authority, retry_at)
        throttled = answer.status in THROTTLED
        raise FetchFailed(
            str(address),
            "throttled" if throttled else "server_error",
            f"answered {answer.status}; {address.authority} is left alone for {pause_s:.0f} s",
            retry_at=retry_at,
            status=answer.status,
        )

    def _page(self, asked: str, address: Address, answer: Answer, terms: RobotsTerms, *, conditional: bool) -> Page:
        url, status = str(address), answer.status
        if status in _GONE:
            raise Gone(url, status)
        if status != 200 and not (status == 304 and conditional):
            reason: FailedBecause = "client_error" if 400 <= status < 500 else "protocol"
            raise FetchFailed(url, reason, f"answered {status}", status=status)
        headers = answer.headers
        etag, last_modified = _short(headers.get("etag", "")), _short(headers.get("last-modified", ""))
        return Page(
            url=asked,
            final_url=url,
            status=status,
            unchanged=status == 304,
            media_type=answer.media_type,
            charset=answer.charset,
            headers=headers,
            body=answer.body,
            validators=Validators(url, etag, last_modified, terms.digest),
            fetched_at=answer.at,
            terms=terms,
        )


def _conditions(validators: Validators | None, url: str, terms: RobotsTerms) -> dict[str, str]:
    if validators is None or validators.url != url or validators.terms != terms.digest:
        return {}
    conditions = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in conditions.items() if value}


def _short(validator: str) -> str:
    return validator if len(validator) <= _MAX_VALIDATOR_LENGTH else ""


def _accept_header(accept: Collection[str]) -> dict[str, str]:
    return {"Accept": f"{', '.join(accept)}, */*;q=0.1"} if accept else {}


def _joined(address: Address, location: str) -> str:
    try:
        return urljoin(str(address), location)
    except ValueError as error:
        raise FetchRefused(str(address), "malformed_url", f"redirects to nonsense: {error}") from None
