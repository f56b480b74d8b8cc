"""The page itself: the daemon above, every instance below, what happens and rollouts at the foot."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

import msgspec
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Input, RichLog, Static

from orchestrator.access.cli.output import STATE_COLOURS, visible
from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure
from orchestrator.access.top.activity import lines
from orchestrator.access.top.caller import Caller
from orchestrator.access.top.commands import COMMANDS
from orchestrator.access.top.dialogues import Confirmation, Help
from orchestrator.access.top.feed import Feed
from orchestrator.access.top.fleet import Fleet, states_of, streams_of
from orchestrator.access.top.instance import InstanceScreen
from orchestrator.access.top.overview import Overview
from orchestrator.access.top.pages import Pages
from orchestrator.access.top.rollouts import RolloutPage, describe
from orchestrator.access.top.rows import SORTS, Row, Selection, after, amounts
from orchestrator.access.top.virtual_table import TableColumn, VirtualTable

STATUS_EVERY_S = 2.0
_ROLLOUT_EVERY_S = 1.0
_ACTIVITY_KEPT = 500
_ACTIVITY_AT_ONCE = 100
_ROLLOUTS_SHOWN = 50

_ANSWER_S = 10.0
_COMMAND_S = 35.0
_TOPICS = ("*",)


class Top(App[int]):
    """`automate top`.

    Args:
        socket: The daemon's control socket.
        selection: What is shown at first.
    """

    CSS_PATH = "top.tcss"
    TITLE = "automate top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "find", "Find", key_display="/"),
        Binding("s", "next_state", "State"),
        Binding("t", "next_stream", "Stream"),
        Binding("o", "next_order", "Order", show=False),
        Binding("O", "reverse_order", "Reverse", show=False),
        *(
            Binding(command.key, f"command('{command.name}')", command.name.title(), show=command.name != "start")
            for command in COMMANDS.values()
        ),
        Binding("b", "bookings", "Bookings", show=False),
        Binding("1,2,3,4", "page", "Page", show=False),
        Binding("escape", "clear", "Clear", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q,ctrl+c", "quit", "Quit", key_display="q"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),
    ]

    def __init__(self, socket: Path, selection: Selection | None = None) -> None:
        super().__init__()
        self.theme = "ansi-light" if _terminal_is_light(os.environ.get("COLORFGBG", "")) else "ansi-dark"
        self._socket = socket
        self._asking = Caller(socket, _ANSWER_S, "top-asks")
        self._commanding = Caller(socket, _COMMAND_S, "top-commands")
        self._fleet = Fleet(self._asking, self._show_rows)
        self._selection = selection or Selection()
        self._feed = Feed(
            socket,
            "events.subscribe",
            {"topics": _TOPICS},
            "events.event",
            found=self._found,
            told=self._told,
            lost=self._lost,
        )
        self._online = asyncio.Event()
        self._rollouts_outdated = asyncio.Event()
        self._bookings = True
        self._counted: Any = None

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        yield Overview(id="head")
        yield Static(id="selection")
        hint = "words that a row must have; Enter keeps them, Esc drops them"
        yield Input(placeholder=hint, id="find", compact=True, select_on_focus=False)
        yield VirtualTable(self._columns(), lambda row: row.id, id="fleet")
        log = RichLog(id="activity", max_lines=_ACTIVITY_KEPT, min_width=0, auto_scroll=True)
        yield Pages({"activity": log, "rollouts": VerticalScroll(Static(id="rollout-lines"), id="rollouts")}, id="foot")
        yield Footer(show_command_palette=False, compact=True)

    def _columns(self) -> Sequence[TableColumn[Row]]:
        return (
            TableColumn("instance", lambda row: visible(row.id)),
            TableColumn("state", lambda row: row.state, 10, lambda row: STATE_COLOURS.get(row.state, "")),
            TableColumn("net", self._net, 24, right=True),
            TableColumn("restarts", lambda row: str(row.restarts), 10, _restarts_colour, right=True),
            TableColumn("address", lambda row: f"{row.host}:{row.port}", 21, from_width=120),
            TableColumn("last failure", lambda row: visible(row.last_failure or ""), yields=True, from_width=96),
        )

    def _net(self, row: Row) -> str:
        return amounts(self._fleet.money.get(row.id))

    def on_mount(self) -> None:
        """Begin to ask and to listen."""
        self.query_one("#find", Input).display = False
        self.query_one("#fleet").focus()
        self._show_rows()
        self.run_worker(self._feed.run(), name="feed")
        self.run_worker(self._fleet.follow(), name="fleet")
        self.run_worker(self._fleet.follow_money(), name="money")
        self.run_worker(self._follow_status(), name="status")
        self.run_worker(self._follow_rollouts(), name="rollouts")

    def on_unmount(self) -> None:
        """Hang up."""
        self._asking.close()
        self._commanding.close()

    # What the daemon says.

    def _found(self, subscribed: Any) -> None:
        self._online.set()
        self._fleet.outdated()
        self._rollouts_outdated.set()
        self._table.pale(False)

    def _lost(self, reason: str, again_in_s: float) -> None:
        self._online.clear()
        self._overview.show_lost(f"trying again every {again_in_s:g} s. {reason}")
        self._table.pale(True)

    def _told(self, said: list[Any]) -> None:
        log = self.screen_stack[0].query_one("#activity", RichLog)
        # Nobody reads more than that at once, and each line costs the loop a millisecond.
        for text in lines(said[-_ACTIVITY_AT_ONCE:], bookings=self._bookings):
            log.write(text, expand=True)
        for event in said:
            topic = str(event.get("event", "")).partition(".")[0]
            if topic in ("instance", "rollout", "config"):
                self._fleet.outdated()
            if topic == "rollout":
                self._rollouts_outdated.set()

    async def _follow_status(self) -> None:
        heard_s = monotonic()
        while True:
            await self._online.wait()
            try:
                status = await self._asking.call("system.status")
            except DaemonUnreachable:
                pass  # the feed finds the same, and says so
            except (CallTimedOut, RpcFailure):
                self._overview.show_silent(monotonic() - heard_s)
            else:
                heard_s = monotonic()
                self._take_status(status)
            await asyncio.sleep(STATUS_EVERY_S)

    def _take_status(self, status: Any) -> None:
        if not self._online.is_set():
            return
        self._fleet.belongs_to(status["mode"])
        self._overview.show(status)
        if status["instances"] != self._counted:
            self._counted = status["instances"]
            self._fleet.outdated()

    async def _follow_rollouts(self) -> None:
        while True:
            await self._rollouts_outdated.wait()
            await self._online.wait()
            self._rollouts_outdated.clear()
            try:
                page = await self._asking.call("rollout.list", {"limit": _ROLLOUTS_SHOWN}, result=RolloutPage)
            except RpcFailure as failure:
                text = Text(visible(failure.message), "red")
            except (DaemonUnreachable, CallTimedOut):
                self._rollouts_outdated.set()
                text = None
            else:
                text = describe(page.items)
                if any(rollout.ended_at is None for rollout in page.items):
                    self._rollouts_outdated.set()
            if text is not None:
                self.screen_stack[0].query_one("#rollout-lines", Static).update(text)
            await asyncio.sleep(_ROLLOUT_EVERY_S)

    # What is shown.

    @property
    def _overview(self) -> Overview:
        return self.screen_stack[0].query_one("#head", Overview)

    @property
    def _table(self) -> VirtualTable[Row]:
        return self.screen_stack[0].query_one("#fleet", VirtualTable)

    def _show_rows(self) -> None:
        if not self.is_running or not self.screen_stack:
            return
        selection = self._selection
        rows = selection.apply(self._fleet.rows, self._fleet.money)
        self._table.show(rows, marked=(selection.sort, "▼" if selection.descending else "▲"))
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{len(rows)} of {len(self._fleet.rows)}", "bold").append(" instances", "dim")
        text.append("  state ", "dim").append(selection.state or "all", "yellow" if selection.state else "")
        text.append("  stream ", "dim").append(selection.stream or "all", "yellow" if selection.stream else "")
        if selection.text:
            text.append("  with ", "dim").append(selection.text, "yellow")
        if self._fleet.book:
            text.append("  net: ", "dim").append(f"{self._fleet.book} book", "")
        self.screen_stack[0].query_one("#selection", Static).update(text, layout=False)

    def _select(self, **changes: Any) -> None:
        self._selection = msgspec.structs.replace(self._selection, **changes)
        self._show_rows()

    # What a person does.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say what keys mean now: those of the list mean nothing in front of an instance."""
        of_list = ("find", "next_state", "next_stream", "next_order", "reverse_order", "bookings", "clear", "page")
        return not (action in of_list and len(self.screen_stack) > 1)

    def action_find(self) -> None:
        """Ask for words."""
        field = self.query_one("#find", Input)
        field.value = self._selection.text
        field.cursor_position = len(field.value)
        field.display = True
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while words are typed."""
        if event.input.id == "find" and event.input.display:
            self._select(text=event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the words."""
        self._leave_find()

    def _leave_find(self) -> None:
        self.query_one("#find", Input).display = False
        self._table.focus()

    def action_clear(self) -> None:
        """Drop the words that are typed; all filters where none are."""
        if self.query_one("#find", Input).display:
            self._leave_find()
            self._select(text="")
        else:
            self._select(text="", state=None, stream=None)
            self._table.focus()

    def action_next_state(self) -> None:
        """Show the next state alone; after the last, all."""
        self._select(state=after(self._selection.state, states_of(self._fleet.rows)))

    def action_next_stream(self) -> None:
        """Show the next stream alone; after the last, all."""
        self._select(stream=after(self._selection.stream, streams_of(self._fleet.rows)))

    def action_next_order(self) -> None:
        """Order by the next column."""
        following = SORTS[(SORTS.index(self._selection.sort) + 1) % len(SORTS)]
        self._selection = self._selection.ordered_by(following)
        self._show_rows()

    def action_reverse_order(self) -> None:
        """Order the other way round."""
        self._select(descending=not self._selection.descending)

    def on_virtual_table_heading_chosen(self, event: VirtualTable.HeadingChosen) -> None:
        """Order by the column that was clicked."""
        for sort in SORTS:
            if sort == event.column:
                self._selection = self._selection.ordered_by(sort)
                self._show_rows()

    def action_bookings(self) -> None:
        """Have bookings in the activity, or not."""
        self._bookings = not self._bookings
        self.notify(f"bookings are {'shown' if self._bookings else 'not shown'} from now on", timeout=2)

    def on_key(self, event: Any) -> None:
        """Turn pages by their number."""
        if event.key in ("1", "2") and len(self.screen_stack) == 1 and not isinstance(self.focused, Input):
            self.query_one("#foot", Pages).turn_to(int(event.key))

    def action_help(self) -> None:
        """Show all keys."""
        if not isinstance(self.screen, (Help, Confirmation)):
            self.push_screen(Help())

    def on_virtual_table_chosen(self) -> None:
        """Show all of an instance."""
        if (row := self._table.current) is not None:
            self.push_screen(InstanceScreen(self._socket, self._asking, row.id, self._fleet.book))

    @work(group="command")
    async def action_command(self, name: str) -> None:
        """Have the current instance do something, after a question."""
        shown = self.screen
        if isinstance(shown, InstanceScreen):
            instance, state = shown.instance, shown.state
        elif len(self.screen_stack) == 1 and (row := self._table.current) is not None:
            instance, state = row.id, row.state
        else:
            return
        if not self._online.is_set():
            self.notify("there is no daemon to ask", severity="warning")
            return
        question = Confirmation(f"{name.title()} {instance}?", f"It is {state} now. {COMMANDS[name].consequence}")
        if await self.push_screen_wait(question):
            await self._command(name, instance)

    async def _command(self, name: str, instance: str) -> None:
        try:
            view = await self._commanding.call(f"fleet.{name}", {"id": instance})
        except (RpcFailure, DaemonUnreachable, CallTimedOut) as error:
            self.notify(visible(error), title=f"{instance}: {name}", severity="error", timeout=8, markup=False)
        else:
            self.notify(f"{instance} is {view['state']}", timeout=3, markup=False)
        self._fleet.outdated()


def _restarts_colour(row: Row) -> str:
    return "yellow" if row.restarts else ""


def _terminal_is_light(colours: str) -> bool:
    """Whether `COLORFGBG`, where a terminal sets it, names a light background."""
    return colours.rpartition(";")[2] in ("7", "15")
