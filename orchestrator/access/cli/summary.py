"""`status` for people: the daemon on one screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.access.cli.output import coloured, duration, megabytes, visible

if TYPE_CHECKING:
    from orchestrator.access.client import Client

BOOKS: Final = ("paper", "live")

_ON_A_LINE: Final = 4
_PLURALS: Final = {"network": "networks", "site": "sites", "venue": "venues"}


def summary(client: Client) -> Iterator[tuple[str, str]]:
    """Ask for what makes the summary, and return its names and values.

    Raises:
        The same as `Client.call`.
    """
    from orchestrator.access.client import RpcFailure

    told = client.call("system.status")
    totals = {book: client.call("ledger.totals", {"book": book, "by": "stream"}) for book in BOOKS}
    sides: Any = None
    if told["mode"] == "sandbox":
        try:
            sides = client.call("sandbox.list")
        except RpcFailure as failure:
            sides = failure.message
    return compose(told, totals, sides)


def compose(told: Any, totals: Mapping[str, Any], sides: Any) -> Iterator[tuple[str, str]]:
    """Yield names and values: the process, the fleet with what each stream earned, the books, the ways in.

    Args:
        told: What `system.status` returned.
        totals: What `ledger.totals` returned by stream, for each book.
        sides: What `sandbox.list` returned, or why it did not; None where there is no sandbox.
    """
    earned = {book: _by_stream(of_book) for book, of_book in totals.items()}
    instances, services = told["instances"], told["services"]
    yield "automate", f"{coloured(told['state'])} for {duration(told['uptime_s'])}, version {told['version']}"
    yield "mode", told["mode"]
    yield (
        "process",
        (
            f"pid {told['pid']}, {told['cpu_percent']:g} % of a core, {megabytes(told['memory_bytes'])} of memory"
            f" ({told['memory_percent']:g} % of the machine's)"
        ),
    )
    yield "services", f"{services['up']} of {services['total']} up"
    yield "instances", f"{instances['active']} of {instances['total']} ready"
    yield "  by state", ", ".join(f"{count} {coloured(state)}" for state, count in instances["by_state"].items()) or "-"
    yield "  by stream", "\n".join(_streams(instances["by_stream"], earned)) or "-"
    yield "paper book", f"{amounts(told['books']['paper'])}   (the sandbox's: not real money)"
    yield "live book", amounts(told["books"]["live"])
    if sides is not None:
        yield "far sides", _far_sides(sides)
    yield "gateway", _gateway(told.get("gateway"))
    yield "home", told["home"]
    yield "log", told["log_file"]


def amounts(book: Mapping[str, str]) -> str:
    """Return amounts, dollars first, some on a line."""
    money = [f"{book[asset]} {asset}" for asset in sorted(book, key=lambda asset: (asset != "USD", asset))]
    lines = [", ".join(money[at : at + _ON_A_LINE]) for at in range(0, len(money), _ON_A_LINE)]
    return ",\n".join(lines) or "nothing yet"


def _by_stream(totals: Any) -> dict[str, dict[str, str]]:
    """Return what each stream earned less what it spent, posted only, by asset."""
    from streams.money import format_amount, parse_amount

    units: dict[str, dict[str, int]] = {}
    for item in totals["items"]:
        if item["state"] == "posted":
            of_stream = units.setdefault(item["stream"], {})
            sign = 1 if item["kind"] == "income" else -1
            asset = item["asset"]
            of_stream[asset] = of_stream.get(asset, 0) + sign * parse_amount(item["amount"], asset)
    return {
        stream: {asset: format_amount(net, asset) for asset, net in of_stream.items()}
        for stream, of_stream in units.items()
    }


def _streams(counts: Mapping[str, int], earned: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[str]:
    # A stream that has no instances any more has earned what it has.
    names = [*counts, *sorted({name for book in earned.values() for name in book} - set(counts))]
    width = max(map(len, names), default=0)
    digits = max((len(str(count)) for count in counts.values()), default=1)
    for name in names:
        money = [f"{book} {_in_one_line(earned[book][name])}" for book in BOOKS if earned[book].get(name)]
        yield f"{counts.get(name, 0):>{digits}} {name:<{width}}  {'; '.join(money)}".rstrip()


def _in_one_line(book: Mapping[str, str]) -> str:
    return amounts(book).replace("\n", " ")


def _far_sides(sides: Any) -> str:
    if isinstance(sides, str):
        return click.style(visible(sides), fg="red")
    names: Sequence[str] = [side["name"] for side in sides]
    if not names:
        return "none"
    kinds = Counter(name.partition(".")[0] for name in names)
    return f"{', '.join(_counted(kinds.items()))}   (`automate sandbox` lists them)"


def _counted(kinds: Iterable[tuple[str, int]]) -> Iterator[str]:
    for kind, count in sorted(kinds):
        yield f"{count} {visible(kind if count == 1 else _PLURALS.get(kind, kind))}"


def _gateway(told: Any) -> str:
    if told is None:
        return "off"
    if told["listening"]:
        return f"{told['url']}   (log in with what `automate token` shows)"
    return click.style(f"not at {told['url']}: {visible(told['detail'])}", fg="red")
