"""All of one instance, live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, RichLog, Static

from orchestrator.access.cli.output import STATE_COLOURS, visible
from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure
from orchestrator.access.top import outline
from orchestrator.access.top.activity import clock, line
from orchestrator.access.top.caller import Caller
from orchestrator.access.top.feed import Feed
from orchestrator.access.top.pages import Pages

EVERY_S = 2.0
_BOOKINGS_SHOWN = 50
_LOG_SHOWN = 200
_LOG_KEPT = 1000


class _Entry(msgspec.Struct, frozen=True):
    booked_at: str
    book: str
    kind: str
    counts_as: str
    amount: str | None
    asset: str | None
    memo: str | None


class _EntryPage(msgspec.Struct, frozen=True):
    items: list[_Entry]


class InstanceScreen(Screen[None]):
    """An instance's state and funnel, settings, last bookings and log.

    Args:
        socket: The daemon's control socket.
        asking: The way to the daemon.
        instance: Its id.
        book: The book whose bookings are shown; empty for both.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back"),
        Binding("left,h", "turn(-1)", "Page", key_display="← →"),
        Binding("right,l", "turn(1)", "Next page", show=False),
    ]

    def __init__(self, socket: Path, asking: Caller, instance: str, book: str) -> None:
        super().__init__()
        self.instance = instance
        self.state = "unknown"
        self._asking = asking
        self._book = book
        self._seen: dict[str, Text] = {}
        self._turned = asyncio.Event()
        self._log_seen = False
        self._feed = Feed(
            socket,
            "logs.tail",
            {"lines": _LOG_SHOWN, "follow": True, "instance": instance},
            "logs.line",
            found=self._log_found,
            told=self._log_told,
            lost=self._log_lost,
        )

    def compose(self) -> ComposeResult:
        """Lay out the pages."""
        yield Static(id="instance-head")
        pages = {
            name: VerticalScroll(Static(id=f"{name}-text"), id=name) for name in ("overview", "settings", "bookings")
        }
        log = RichLog(id="log", max_lines=_LOG_KEPT, min_width=0, auto_scroll=True)
        yield Pages({**pages, "log": log}, id="instance-pages")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to ask and to listen."""
        self._draw_head("")
        self.run_worker(self._follow(), name="instance")
        self.run_worker(self._feed.run(), name="instance log")
        self._focus_page()

    def action_turn(self, by: int) -> None:
        """Turn to the next page, or the one before."""
        self.query_one(Pages).turn(by)

    def on_key(self, event: Any) -> None:
        """Turn pages by their number."""
        if event.key in ("1", "2", "3", "4"):
            self.query_one(Pages).turn_to(int(event.key))

    def on_pages_turned(self) -> None:
        """Let keys scroll what is seen, and ask for it at once."""
        self._focus_page()
        self._turned.set()

    def _focus_page(self) -> None:
        view = self.query_one(f"#{self.query_one(Pages).shown}")
        view.focus()
        if isinstance(view, RichLog) and not self._log_seen:
            # It is laid out only now; of a log, one looks for the end.
            self._log_seen = True
            self.call_after_refresh(view.scroll_end, animate=False)

    async def _follow(self) -> None:
        while True:
            try:
                await self._ask()
            except (DaemonUnreachable, CallTimedOut) as error:
                self._draw_head(f"not answered: {error}")
            except RpcFailure as failure:
                self.state = "unknown"
                self._draw_head(failure.message)
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._turned.wait()
            self._turned.clear()

    async def _ask(self) -> None:
        view = await self._asking.call("fleet.get", {"id": self.instance})
        self.state = view["state"]
        self._draw_head("")
        self._show("overview", outline.overview(view))
        self._show("settings", outline.outline(view["settings"]))
        if self.query_one(Pages).shown != "bookings":
            return
        asked = {"instance": self.instance, "limit": _BOOKINGS_SHOWN, "newest_first": True}
        if self._book:
            asked["book"] = self._book
        page = await self._asking.call("ledger.entries", asked, result=_EntryPage)
        self._show("bookings", _bookings(page.items))

    def _show(self, page: str, text: Text) -> None:
        # What is as it was is not laid out again.
        if self._seen.get(page) != text:
            self._seen[page] = text
            self.query_one(f"#{page}-text", Static).update(text)

    def _draw_head(self, trouble: str) -> None:
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(self.instance, "bold").append(f"  ● {self.state}", STATE_COLOURS.get(self.state, ""))
        if trouble:
            text.append(f"  {visible(trouble)}", "red")
        self.query_one("#instance-head", Static).update(text, layout=False)

    def _log_found(self, tail: Any) -> None:
        self.query_one("#log", RichLog).clear()
        self._log_told(tail["items"])

    def _log_told(self, said: list[Any]) -> None:
        log = self.query_one("#log", RichLog)
        for fields in said:
            log.write(_log_line(fields), expand=True)

    def _log_lost(self, reason: str, again_in_s: float) -> None:
        self.query_one("#log", RichLog).write(Text(f"not followed for now: {visible(reason)}", "red"), expand=True)


_LEVELS = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}


def _log_line(fields: Any) -> Text:
    shown = {
        name: value
        for name, value in fields.items()
        if name not in ("level", "logger", "instance", "stream", "actor", "exception")
    }
    text = line(shown)
    text.stylize(_LEVELS.get(fields.get("level", ""), ""))
    return text


def _bookings(entries: Sequence[_Entry]) -> Text:
    if not entries:
        return Text("nothing booked yet", "dim")
    text = Text(no_wrap=True, overflow="ellipsis")
    width = max(len(f"{entry.amount} {entry.asset}") for entry in entries)
    for entry in entries:
        money = f"{entry.amount} {entry.asset}" if entry.amount is not None else "-"
        text.append("\n" if text else "").append(f"{clock(entry.booked_at)} ", "dim")
        text.append(f"{entry.book:<5} ", "cyan" if entry.book == "paper" else "bold red")
        text.append(f"{money:>{width}}", "bold").append(f"  {entry.counts_as:<9} {entry.kind:<20} ")
        text.append(visible(entry.memo or ""), "dim")
    return text
