"""The head of the page: the daemon in four lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.text import Text
from textual.widgets import Static

from orchestrator.access.cli.output import STATE_COLOURS, duration, megabytes, visible

_SILENT_AFTER_S: Final = 6.0


class Overview(Static):
    """What `system.status` says, and whether it still holds."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name for it
        super().__init__("", id=id)
        self._status: Mapping[str, Any] | None = None
        self._lost = ""
        self._silent_s = 0.0

    def show(self, status: Mapping[str, Any]) -> None:
        """Show an answer of `system.status`."""
        self._status, self._lost, self._silent_s = status, "", 0.0
        self._draw()

    def show_lost(self, reason: str) -> None:
        """Show that there is no daemon to ask; what was known stays, dimmed."""
        self._lost = reason
        self._draw()

    def show_silent(self, for_s: float) -> None:
        """Show that the daemon is there and does not answer."""
        self._silent_s = for_s
        if for_s >= _SILENT_AFTER_S:
            self._draw()

    def _draw(self) -> None:
        known = describe(self._status) if self._status is not None else [Text()] * 4
        if self._lost:
            for text in known:
                text.stylize("dim")
            known[0] = Text.assemble((" OFFLINE ", "bold red reverse"), f" {visible(self._lost)}")
        elif self._silent_s >= _SILENT_AFTER_S:
            known[0] = Text.assemble(
                (" NO ANSWER ", "bold yellow reverse"),
                f" for {duration(self._silent_s)}: the daemon is there, and busy or frozen",
            )
        self.update(Text("\n", no_wrap=True, overflow="ellipsis").join(known), layout=False)


def describe(status: Mapping[str, Any]) -> list[Text]:
    """Return the four lines: the process, its two books, its fleet."""
    state, services, instances = status["state"], status["services"], status["instances"]
    mode = status["mode"]
    first = Text.assemble(
        ("automate ", "bold"),
        (f"● {state}", _colour(state)),
        ("  " + mode, "bold red" if mode == "live" else "cyan"),
        f"  up {duration(status['uptime_s'])}",
        ("  cpu ", "dim"),
        f"{status['cpu_percent']:.0f} %",
        ("  mem ", "dim"),
        f"{megabytes(status['memory_bytes'])}",
        ("  services ", "dim"),
        (f"{services['up']}/{services['total']}", "" if services["up"] == services["total"] else "red"),
    )
    by_state = Text("  ").join(Text(f"{count} {name}", _colour(name)) for name, count in instances["by_state"].items())
    by_stream = "  ".join(f"{name} {count}" for name, count in instances["by_stream"].items())
    return [
        first,
        _book("paper, not real", status["books"]["paper"], "cyan"),
        _book("live", status["books"]["live"], "bold red"),
        Text.assemble((f"{'fleet':<15} ", "bold"), by_state, ("  │  " + by_stream, "dim")),
    ]


def _book(name: str, book: Mapping[str, str], style: str) -> Text:
    # Dollars first: what is cut on a narrow screen is what there is least of.
    ordered = sorted(book, key=lambda asset: (asset != "USD", asset))
    money = "  ".join(f"{book[asset]} {asset}" for asset in ordered) or "nothing yet"
    return Text.assemble((f"{name:<15}", style), " ", (money, "bold"))


def _colour(state: str) -> str:
    return STATE_COLOURS.get(state, "")
