"""Which secrets an instance in a process of its own is given: those that its settings name, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from streams.stream import Stream


def secrets_named(kind: type[Stream[Any]], settings: Any, secret: Callable[[str], str | None]) -> dict[str, str]:
    """Return the secrets that are set, by name.

    Args:
        kind: The stream's class, which knows of names that its settings only imply.
        settings: The instance's settings, as the stream's struct.
        secret: Reads a secret by name.
    """
    names = {*_texts(msgspec.to_builtins(settings)), *kind.secret_names(settings)}
    return {name: text for name in sorted(names) if (text := secret(name)) is not None}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
