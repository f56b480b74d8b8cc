"""The fleet as it was last told: every instance, and what each has earned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure
from orchestrator.access.top.caller import Caller
from orchestrator.access.top.rows import Money, Page, Row, TotalsByInstance

PAGE: Final = 1000

_LEAST_PAUSE_S: Final = 0.4
_LEAST_MONEY_PAUSE_S: Final = 5.0
_SHARE: Final = 20
"""A list is read again after so many times what reading it took: a large fleet costs no more than a small one."""

_LONGEST_PAUSE_S: Final = 3.0
"""However long reading took, for that may have been a busy moment: a person should not look at what was long ago."""

GONE: Final = (DaemonUnreachable, CallTimedOut, RpcFailure)
"""How a question fails; the feed of events finds out when there is a daemon again."""


class Fleet:
    """Instances in order of their ports, read page by page whenever something happened to one of them.

    Args:
        caller: The way to the daemon.
        changed: Called when there is something new to show.
    """

    def __init__(self, caller: Caller, changed: Callable[[], object]) -> None:
        self.rows: Sequence[Row] = ()
        self.money: Mapping[str, Money] = {}
        self._caller = caller
        self._changed = changed
        self._outdated = asyncio.Event()
        self._book = ""

    def outdated(self) -> None:
        """Have the list read again, soon."""
        self._outdated.set()

    def belongs_to(self, mode: str) -> None:
        """Tell the daemon's mode: money is that of its book alone."""
        self._book = "live" if mode == "live" else "paper"

    @property
    def book(self) -> str:
        """The book that `money` is of; empty until it is known."""
        return self._book

    async def follow(self) -> None:
        """Read the list whenever it is outdated, until cancelled."""
        while True:
            await self._outdated.wait()
            self._outdated.clear()
            began_s = monotonic()
            try:
                await self._read()
            except GONE:
                self._outdated.set()
            await asyncio.sleep(min(max(_LEAST_PAUSE_S, _SHARE * (monotonic() - began_s)), _LONGEST_PAUSE_S))

    async def _read(self) -> None:
        first = not self.rows
        rows: list[Row] = []
        cursor: str | None = None
        while True:
            page: Page = await self._caller.call("fleet.list", {"limit": PAGE, "cursor": cursor}, result=Page)
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
            if first:  # the beginning is shown while the rest is on its way
                self.rows = tuple(rows)
                self._changed()
        self.rows = rows
        self._changed()

    async def follow_money(self) -> None:
        """Read now and then what instances have earned, until cancelled."""
        while True:
            began_s = monotonic()
            if self._book:
                try:
                    asked = {"book": self._book, "by": "instance"}
                    totals = await self._caller.call("ledger.totals", asked, result=TotalsByInstance)
                except GONE:
                    pass
                else:
                    money = await asyncio.to_thread(totals.net) if len(totals.items) > PAGE else totals.net()
                    if money != self.money:
                        self.money = money
                        self._changed()
            await asyncio.sleep(max(_LEAST_MONEY_PAUSE_S if self.money else 0.5, _SHARE * (monotonic() - began_s)))


def states_of(rows: Sequence[Row]) -> set[str]:
    """Return the states that occur."""
    return {row.state for row in rows}


def streams_of(rows: Sequence[Row]) -> set[str]:
    """Return the streams that occur."""
    return {row.stream for row in rows}
