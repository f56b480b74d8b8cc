"""A calendar of events under CC BY-SA: what is over is gone, and some organisers do not want to be listed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape
from typing import Final

import msgspec

from streams.sandbox.sites.chance import tick, tick_began
from streams.sandbox.sites.site import CC_BY_SA, Site, SiteAnswer, html, links, missing, redirect

KINDS: Final = ("concerts", "theatre", "sports", "markets")

_PERIOD_S: Final = 300
_LISTED: Final = 8
_PER_PAGE: Final = 4
_VENUES: Final = ("Dock 4", "Town Hall", "Cable Works", "St. Anne's", "Stadium South", "The Glasshouse")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "concerts": (
        "Chamber evening",
        "Brass in the yard",
        "Night of organs",
        "Three guitars",
        "Requiem",
        "Jazz breakfast",
    ),
    "theatre": ("The Miser", "A Doll's House", "Improvised evening", "Puppets for all", "The Seagull", "Open stage"),
    "sports": ("Half marathon", "Rowing finals", "Chess open", "Fencing day", "Night ride", "Volleyball cup"),
    "markets": ("Book market", "Flea market", "Plant swap", "Cheese market", "Craft fair", "Winter market"),
}


class Event(msgspec.Struct, frozen=True):
    """An event. Its price may change once."""

    number: int
    kind: str
    name: str
    venue: str
    starts: datetime
    cents: int
    is_private: bool
    is_cancelled: bool


class Agora(Site):
    """Lists the next events of each kind, two pages of them, with a page for each."""

    name = "agora"
    title = "Agora, what is on"
    disallowed = ("/tickets/", "/login")
    crawl_delay_s = 0.2

    def page(self, path: str, query: Mapping[str, str], now: datetime, visits: int) -> SiteAnswer | None:
        """Return a list, an event, or where the calendar has moved to."""
        if path == "/":
            return html(self.title, links([(f"/events/{kind}", kind) for kind in KINDS]))
        if path.startswith("/calendar/"):
            return redirect(f"/events/{path[10:]}", 302)
        if path.startswith("/events/") and path[8:] in KINDS:
            return self._list(path[8:], query.get("page", "1"), now)
        if path.startswith("/event/") and path[7:].isdigit():
            return self._event_page(int(path[7:]), now)
        return None

    def upcoming(self, kind: str, now: datetime) -> list[Event]:
        """Return the events of a kind that are listed now, the next first."""
        count = len(KINDS)
        first = tick(now, _PERIOD_S * count) * count + KINDS.index(kind)
        return [self.event(first + place * count, now) for place in range(_LISTED)]

    def event(self, number: int, now: datetime) -> Event:
        """Return the event of a number."""
        kind = KINDS[number % len(KINDS)]
        starts = tick_began(number, _PERIOD_S) + timedelta(days=9)
        cents = 100 * (4 + self.chance.number(40, "cents", number))
        # A third of all prices goes up once, half an hour after the event was first listed.
        listed = tick_began(number - _LISTED * len(KINDS), _PERIOD_S)
        raised = self.chance.number(3, "raised", number) == 0 and now > listed + timedelta(minutes=30)
        return Event(
            number=number,
            kind=kind,
            name=self.chance.pick(_WORDS[kind], "name", number),
            venue=self.chance.pick(_VENUES, "venue", number),
            starts=starts.replace(minute=30 * self.chance.number(2, "half", number), second=0),
            cents=cents + (200 if raised else 0),
            is_private=self.chance.number(7, "private", number) == 0,
            is_cancelled=self.chance.number(11, "cancelled", number) == 0,
        )

    def _list(self, kind: str, page: str, now: datetime) -> SiteAnswer | None:
        pages = _LISTED // _PER_PAGE
        if page not in {str(number) for number in range(1, pages + 1)}:
            return None
        place = (int(page) - 1) * _PER_PAGE
        listed = self.upcoming(kind, now)[place : place + _PER_PAGE]
        events = links([(f"/event/{event.number}", event.name) for event in listed])
        following = f'<a class="next" rel="next" href="/events/{kind}?page={int(page) + 1}">Later</a>'
        tickets = links([(f"/tickets/{event.number}", "Tickets") for event in listed])
        more = following if int(page) < pages else ""
        return html(f"{kind.title()}, page {page}", events + more + tickets, licence=CC_BY_SA)

    def _event_page(self, number: int, now: datetime) -> SiteAnswer | None:
        first = tick(now, _PERIOD_S * len(KINDS)) * len(KINDS)
        if number >= first + _LISTED * len(KINDS):
            return None
        if number < first:
            return missing(self.title, 410)
        event = self.event(number, now)
        euros, cents = divmod(event.cents, 100)
        state = "cancelled" if event.is_cancelled else "on"
        body = (
            f'<section class="event" data-id="{event.number}" data-kind="{event.kind}" data-state="{state}">'
            f'<p class="venue">{escape(event.venue)}</p>'
            f'<p><time datetime="{event.starts:%Y-%m-%dT%H:%M:%SZ}">{event.starts:%d %B, %H:%M}</time></p>'
            f'<p class="price">{euros}.{cents:02d} EUR</p>'
            f'<p><a class="tickets" href="/tickets/{event.number}">Tickets</a></p></section>'
        )
        head = '<meta name="robots" content="noindex">' if event.is_private else ""
        return html(event.name, body, licence=CC_BY_SA, head=head)
