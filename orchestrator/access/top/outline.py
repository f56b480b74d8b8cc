"""An instance in words: what `fleet.get` says of it, laid out for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from orchestrator.access.cli.output import STATE_COLOURS, duration, visible

_BAR = 30


def overview(view: Mapping[str, Any]) -> Text:
    """Return its state, its funnel, and what its stream shows."""
    text = Text()
    state = view["state"]
    _field(text, "state", Text(state, STATE_COLOURS.get(state, "")))
    if view["up_s"]:
        text.append(f" for {duration(view['up_s'])}")
    text.append(f", {'serves' if view['ready'] else 'does not serve'}")
    if view["health"]:
        text.append(f": {visible(view['health'])}")
    _field(text, "address", Text(f"http://{view['host']}:{view['port']}"))
    left = "" if view["restarts_left"] is None else f", {view['restarts_left']} left"
    _field(text, "restarts", Text(f"{view['restarts']}{left}"))
    if view["last_failure"] is not None:
        _field(
            text,
            "last failure",
            Text(visible(f"{view['last_failure']['kind']}: {view['last_failure']['text']}"), "red"),
        )
    _field(text, "isolation", Text(view["isolation"]))
    _field(text, "directory", Text(visible(view["directory"])))
    text.append("\n\nFunnel\n", "bold")
    text.append_text(funnel(view["funnel"]))
    if view["details"]:
        text.append("\n\nDetails\n", "bold")
        text.append_text(outline(view["details"]))
    return text


def _field(text: Text, name: str, value: Text) -> None:
    text.append("\n" if text else "").append(f"{name:<14}", "dim").append_text(value)


def funnel(counts: Mapping[str, int]) -> Text:
    """Return a bar for each step from seen to earned, as long as its share of the largest."""
    if not counts:
        return Text("  nothing counted yet", "dim")
    largest = max(max(counts.values()), 1)
    names = max(map(len, counts))
    numbers = max(len(f"{count}") for count in counts.values())
    text = Text()
    for name, count in counts.items():
        # What happened at all is seen.
        length = max(1, round(_BAR * count / largest)) if count > 0 else 0
        text.append("\n" if text else "").append(f"  {visible(name):<{names}}  {count:>{numbers}} ")
        text.append("━" * length, "cyan")
    return text


def outline(value: Any) -> Text:
    """Return a JSON value as indented lines, lists of simple things on one."""
    return Text("\n").join(_lines(value, 1))


def _lines(value: Any, depth: int) -> Iterator[Text]:
    before = "  " * depth
    if isinstance(value, Mapping) and value:
        names = max(len(str(name)) for name in value)
        for name, item in value.items():
            if _is_nested(item):
                yield Text.assemble(before, (visible(name), "cyan"))
                yield from _lines(item, depth + 1)
            else:
                yield Text.assemble(before, (f"{visible(name):<{names}}", "cyan"), f"  {_simple(item)}")
    elif isinstance(value, list) and value and _is_nested(value):
        for item in value:
            first, *rest = _lines(item, 0)
            yield Text.assemble(before, ("- ", "dim"), first)
            yield from (Text.assemble(before, "  ", line) for line in rest)
    else:
        yield Text(f"{before}{_simple(value)}")


def _is_nested(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value)


def _simple(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_simple, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == {}:
        return "-"
    return visible(value)
