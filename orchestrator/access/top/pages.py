"""Several views in one place, each behind a number."""

from __future__ import annotations

from collections.abc import Mapping

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static


class Pages(Vertical):
    """One of several views, under a line that names them all.

    Args:
        views: By name; a view's id is its name.
        id: Of the widget.
    """

    class Turned(Message):
        """Another view is seen."""

    def __init__(self, views: Mapping[str, Widget], *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__(id=id)
        self._views = views
        self._names = tuple(views)
        self.shown = self._names[0]

    def compose(self) -> ComposeResult:
        """Lay out the line and the views."""
        yield Static(self._line(), classes="page-names")
        with ContentSwitcher(initial=self.shown):
            yield from self._views.values()

    def turn_to(self, number: int) -> None:
        """Show the view of this number, counted from 1; there may be none."""
        if 1 <= number <= len(self._names) and self._names[number - 1] != self.shown:
            self.shown = self._names[number - 1]
            self.query_one(ContentSwitcher).current = self.shown
            self.query_one(".page-names", Static).update(self._line(), layout=False)
            self.post_message(self.Turned())

    def turn(self, by: int) -> None:
        """Show the next view, or the one before."""
        self.turn_to((self._names.index(self.shown) + by) % len(self._names) + 1)

    def on_click(self, event: events.Click) -> None:
        """Turn to the view whose name was clicked."""
        if event.widget is None or not event.widget.has_class("page-names"):
            return
        at = 0
        for number, name in enumerate(self._names, 1):
            at += len(self._label(number, name)) + 1
            if event.x < at:
                self.turn_to(number)
                return

    def _line(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        for number, name in enumerate(self._names, 1):
            line.append(self._label(number, name), "bold reverse" if name == self.shown else "dim").append(" ")
        return line

    @staticmethod
    def _label(number: int, name: str) -> str:
        return f" {number} {name} "
