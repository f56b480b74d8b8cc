"""Fields of an event or log line in few words, for a person's line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# A terminal obeys these; a log line quotes what strangers sent.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

_LONG_ID: Final = re.compile(r"(?:[a-z]+_)?[0-9a-f]{32,}")
_SHOWN_OF_ID: Final = 8


def plain(text: str) -> str:
    """Return a text with what a terminal would obey written out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def brief_value(value: Any, *, whole_ids: bool = False) -> str:
    """Return a value as people write it: `a, b`, `yes`, `tx_beb331fa…`; `-` where there is nothing.

    Args:
        value: A JSON value.
        whole_ids: Whether long ids are left as they are, so that they can be copied.
    """
    if isinstance(value, Mapping):
        items = (f"{plain(str(name))} {brief_value(item, whole_ids=whole_ids)}" for name, item in value.items())
        return ", ".join(items) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(brief_value(item, whole_ids=whole_ids) for item in value) or "-"
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = plain(str(value))
    if not whole_ids and _LONG_ID.fullmatch(text):
        prefix, _, digits = text.rpartition("_")
        return f"{prefix}{'_' if prefix else ''}{digits[:_SHOWN_OF_ID]}…"
    return text


def brief_fields(fields: Mapping[str, Any], *, whole_ids: bool = False) -> dict[str, str]:
    """Return fields by name, without those that others imply: an instance tells its stream and its actor.

    Args:
        fields: What an event or a log line says.
        whole_ids: Whether long ids are left as they are, so that they can be copied.
    """
    told = dict(fields)
    instance = told.get("instance")
    if isinstance(instance, str):
        if told.get("stream") == instance.rpartition("-")[0]:
            del told["stream"]
        if told.get("actor") == f"/instances/{instance}":
            del told["actor"]
    if isinstance(amounts := told.get("amounts"), Mapping):
        # Money is read with its asset behind it.
        told["amounts"] = [f"{amount} {asset}" for asset, amount in amounts.items()]
    return {name: brief_value(value, whole_ids=whole_ids) for name, value in told.items()}
