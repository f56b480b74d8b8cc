"""What stands in front of the page: a question before something is done, and help."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static


class Confirmation(ModalScreen[bool]):
    """A question that is answered with yes or no.

    Args:
        question: What would be done.
        consequence: What that means.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence

    def compose(self) -> ComposeResult:
        """Lay out the question."""
        keys = Text.assemble(("y", "bold green"), " yes   ", ("n", "bold red"), " no")
        text = Text("\n\n").join([Text(self._question, "bold"), Text(self._consequence), keys])
        yield Static(text, id="question")

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


HELP = (
    (
        "Look",
        (
            ("↑ ↓  k j", "the instance above, below"),
            ("PgUp PgDn Home End", "a screen up, down; the first, the last"),
            ("Enter", "all of it: funnel, settings, bookings, log"),
            ("Esc", "back; clears the filters"),
            ("1 2", "activity, rollouts (1 to 4 in an instance)"),
            ("Tab", "to the panes below, to scroll them"),
            ("b", "bookings in the activity: shown or not"),
        ),
    ),
    (
        "Find",
        (
            ("/", "only rows that have these words"),
            ("s", "only one state: the next one"),
            ("t", "only one stream: the next one"),
            ("o", "order by the next column; O the other way round"),
        ),
    ),
    (
        "Do, after a question",
        (
            ("r", "restart, with a fresh restart budget"),
            ("p  c", "pause; continue"),
            ("x  g", "stop; go again"),
        ),
    ),
    ("", (("?  q", "this help; quit"),)),
)
"""Sections of keys, each with what it does."""

_REMARKS = (
    "Paper is the sandbox's money, live is real; the two are never added together, nor are assets. The order by "
    "net compares dollars with dollars; instances that earn other assets follow.\n"
    "Many bookings at once are shown as their sum. Colours are the terminal's own; NO_COLOR is obeyed."
)


class Help(ModalScreen[None]):
    """All keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "close", "Close")]

    def compose(self) -> ComposeResult:
        """Lay out the keys."""
        text = Text()
        for section, keys in HELP:
            text.append(f"{section}\n" if section else "", "bold")
            for key, meaning in keys:
                text.append(f"  {key:<20}", "cyan").append(f"{meaning}\n")
        text.append(f"\n{_REMARKS}", "dim")
        with VerticalScroll(id="help"):
            yield Static(text)

    def action_close(self) -> None:
        """Go back to the page."""
        self.dismiss()
