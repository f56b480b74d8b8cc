"""`GET /c/<code>`: from a click to its destination, the hot path of the stream.

The destination is the one that was configured; a request decides nothing about it but the values of allow-listed
sub-ids. A click is durable before it is answered. Visits that are no clicks (machines, HEAD, prefetches, no
User-Agent) get the destination without a click id: previews and link checkers of publishers go on working, nothing is
counted, and no commission can be claimed with it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from streams.affiliate_marketing.bots import PREFETCH_HEADERS, BotFilter, is_prefetch
from streams.affiliate_marketing.caps import CapCounter
from streams.affiliate_marketing.click import Click
from streams.affiliate_marketing.click_id import ClickIds
from streams.affiliate_marketing.click_journal import ClickJournal, ClicksUnwritable
from streams.affiliate_marketing.destination import Destination
from streams.affiliate_marketing.rotation import Rotation
from streams.affiliate_marketing.settings import AffiliateMarketingSettings, Offer
from streams.affiliate_marketing.visitors import FirstClick, Visitors
from streams.http_answer import HttpAnswer, problem_answer
from streams.http_cycle import HttpCycle

PREFIX: Final = "/c/"

_DAY_US: Final = 86_400_000_000
_MAX_QUERY_BYTES: Final = 2048
_MAX_FIELDS: Final = 32
_SUB_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_LINK_HEADERS: Final = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
_LINK_FIELDS: Final = b"".join(b"%s: %s\r\n" % header for header in _LINK_HEADERS)
_END: Final = {"type": "http.response.body", "body": b"", "more_body": False}
_ENDED: Final = HttpAnswer(
    410,
    b"text/html; charset=utf-8",
    b"<!doctype html><html lang=en><title>Offer ended</title>"
    b"<p>This offer takes no more visitors at the moment. Nothing was recorded about your visit.",
    [(b"content-security-policy", b"default-src 'none'"), (b"x-robots-tag", b"noindex")],
)
_NO_SUCH_LINK: Final = problem_answer(404, "there is no such link here", code="unknown_link")
_WRONG_METHOD: Final = problem_answer(
    405, "a link is followed with GET", code="http_405", headers=[(b"allow", b"GET, HEAD")]
)


_Result: TypeAlias = bytes | ClicksUnwritable | None
"""What comes of a click: where it leads, why it could not be stored, or None where nothing takes it."""


class _Route(msgspec.Struct, frozen=True):
    offers: tuple[str, ...]
    fallback: str | None
    sub_ids: Mapping[str, str]
    never_full: bool


class Redirector:
    """The links of one instance.

    Attributes:
        counts: Visits by what became of them, since the start.

    Args:
        settings: The instance's.
        destinations: Where each offer leads.
        journal: Where clicks are made durable.
        ids: Makes click ids.
        visitors: Who clicked what within the hour.
        caps: How many clicks each offer takes.
        rotation: Chooses among a campaign's offers.
        bots: Tells machines.
        now: The time, aware UTC.
    """

    def __init__(
        self,
        *,
        settings: AffiliateMarketingSettings,
        destinations: Mapping[str, Destination],
        journal: ClickJournal,
        ids: ClickIds,
        visitors: Visitors,
        caps: CapCounter,
        rotation: Rotation,
        bots: BotFilter,
        now: Callable[[], datetime],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._offers: Mapping[str, Offer] = settings.offers
        self._destinations = destinations
        self._journal = journal
        self._ids = ids
        self._visitors = visitors
        self._caps = caps
        self._rotation = rotation
        self._bots = bots
        self._now = now
        self._loop_time = asyncio.get_running_loop().time
        self._turn_s = -1.0
        self._turn_us = 0
        self._routes: dict[str, _Route] = {}
        for code, link in settings.links.items():
            campaign = settings.campaigns[link.campaign]
            self._routes[code] = _Route(
                campaign.offers, campaign.fallback, campaign.sub_ids, caps.never_full(campaign.offers)
            )

    def quick(self, cycle: HttpCycle) -> bool:
        """Take the request of somebody whose browser is known, without a task; see `streams.http_connection.Quick`."""
        scope = cycle.scope
        if scope["method"] != "GET":
            return False
        code = scope["path"][len(PREFIX) :]
        route = self._routes.get(code)
        if route is None:
            return False
        agent = b""
        for name, value in scope["headers"]:
            if name == b"user-agent":
                agent = value
            elif name in PREFETCH_HEADERS:
                return False
        if self._bots.known(agent) is not False:
            return False
        client = scope["client"]

        def answer(result: _Result) -> None:
            if isinstance(result, bytes):
                # What a destination gives has no line break: neither its URL, which was checked, nor what is put in.
                cycle.answer(302, b"location: %s\r\n%s" % (result, _LINK_FIELDS))
            else:
                found = self._answer_without_location(result)
                cycle.answer(found.status, b"".join(b"%s: %s\r\n" % header for header in found.headers), found.body)

        self.counts["gross"] += 1
        self._click(code, route, client[0] if client else "", agent, scope["query_string"], answer)
        return True

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request for a link; an ASGI application."""
        code: str = scope["path"][len(PREFIX) :]
        route = self._routes.get(code)
        if route is None:
            self.counts["unknown_link"] += 1
            await _NO_SUCH_LINK(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _WRONG_METHOD(scope, receive, send)
            return
        self.counts["gross"] += 1
        agent, reason = await self._no_click(scope)
        result: _Result
        if reason is None:
            address = scope["client"][0] if scope["client"] else ""
            told: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
            self._click(code, route, address, agent, scope["query_string"], partial(_set_result, told))
            result = await told
        else:
            self.counts[f"filtered_{reason}"] += 1
            result = self._without_click(route)
        if isinstance(result, bytes):
            await send({"type": "http.response.start", "status": 302, "headers": _redirect(result)})
            await send(_END)
        else:
            await self._answer_without_location(result)(scope, receive, send)

    async def _no_click(self, scope: Any) -> tuple[bytes, str | None]:
        """Return the User-Agent of a visit, and why it is no click; None where it is one."""
        agent = b""
        reason = "head" if scope["method"] == "HEAD" else None
        for name, value in scope["headers"]:
            if name == b"user-agent":
                agent = value
            elif name in PREFETCH_HEADERS and is_prefetch(value):
                reason = "prefetch"
        if reason is None and await self._bots.is_bot(agent):
            reason = "bot" if agent else "no_agent"
        return agent, reason

    def _answer_without_location(self, result: ClicksUnwritable | None) -> HttpAnswer:
        if result is None:
            self.counts["ended"] += 1
            return _ENDED
        self.counts["unwritable"] += 1
        return problem_answer(503, str(result), code="clicks_unwritable", headers=[(b"retry-after", b"5")])

    def _click(
        self, code: str, route: _Route, address: str, agent: bytes, query: bytes, tell: Callable[[_Result], None]
    ) -> None:
        """Count a click, and tell where it leads once it is durable, in a later turn of the loop.

        Told None, nothing takes it; told an error, it could not be stored and has not happened.
        """
        at_us = self._now_us()
        visitor = self._visitors.pseudonym(address, agent, code)
        sub_ids = self._sub_ids(route, query) if query and route.sub_ids else None
        first = self._visitors.first_click(visitor, at_us)
        if first is not None and first.offer in self._destinations:
            self.counts["duplicates"] += 1
            known = first

            def repeat(error: ClicksUnwritable | None) -> None:
                tell(error or self._destinations[known.offer].for_click(self._ids.seal(known.place), sub_ids))

            self._journal.when_durable(first.place, repeat)
            return
        chosen = self._choose(route, at_us)
        if chosen is None:
            asyncio.get_running_loop().call_soon(tell, None)
            return
        # From the choice to the count there is no await, so that no click gets past a cap.
        name, offer = chosen, self._offers[chosen]
        self._caps.count(name, at_us // _DAY_US)

        def answer(error: ClicksUnwritable | None) -> None:
            if error is None:
                self.counts["unique"] += 1
                self._rotation.clicked(name)
                tell(self._destinations[name].for_click(self._ids.seal(place), sub_ids))
            else:
                self._caps.take_back(name)
                self._visitors.take_back(visitor, place)
                tell(error)

        try:
            place = self._journal.append(
                Click(at_us, code, name, offer.policy, offer.window_s, visitor, sub_ids or {}), answer
            )
        except ClicksUnwritable as error:
            self._caps.take_back(name)
            asyncio.get_running_loop().call_soon(tell, error)
            return
        self._visitors.remember(visitor, FirstClick(at_us, place, name))

    def _now_us(self) -> int:
        """Return the time of this turn of the loop: the clicks of one turn come at once."""
        turn_s = self._loop_time()
        if turn_s != self._turn_s:
            self._turn_s = turn_s
            self._turn_us = int(self._now().timestamp() * 1_000_000)
        return self._turn_us

    def _choose(self, route: _Route, at_us: int) -> str | None:
        if route.never_full:
            return self._rotation.choose(route.offers, at_us / 1e6)
        day = at_us // _DAY_US
        takers = tuple([offer for offer in route.offers if self._caps.has_room(offer, day)])
        if takers:
            return self._rotation.choose(takers, at_us / 1e6)
        self.counts["capped"] += 1
        return route.fallback if route.fallback is not None and self._caps.has_room(route.fallback, day) else None

    def _without_click(self, route: _Route) -> bytes | None:
        day = int(self._now().timestamp()) // 86_400
        for offer in (*route.offers, *([] if route.fallback is None else [route.fallback])):
            if self._caps.has_room(offer, day):
                return self._destinations[offer].plain
        return None

    def _sub_ids(self, route: _Route, query: bytes) -> dict[str, str]:
        if len(query) > _MAX_QUERY_BYTES:
            self.counts["sub_ids_dropped"] += 1
            return {}
        try:
            fields = parse_qsl(query.decode("ascii"), max_num_fields=_MAX_FIELDS)
        except ValueError:
            self.counts["sub_ids_dropped"] += 1
            return {}
        found: dict[str, str] = {}
        for name, value in fields:
            there = route.sub_ids.get(name)
            if there is None:
                continue
            if _SUB_ID.fullmatch(value) is None:
                self.counts["sub_ids_dropped"] += 1
            else:
                found[there] = value
        return found


def _redirect(location: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"location", location), *_LINK_HEADERS]


def _set_result(told: asyncio.Future[_Result], result: _Result) -> None:
    if not told.done():  # somebody may wait no more
        told.set_result(result)
