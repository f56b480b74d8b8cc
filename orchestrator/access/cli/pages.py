"""Lists come from the daemon in pages; here they are followed to their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from orchestrator.access.client import Client

PAGE = 1000
"""What a page has at most."""


class Page(msgspec.Struct, frozen=True):
    """A page whose items are left as they came: they are printed as they are, or decoded for a table."""

    items: tuple[msgspec.Raw, ...]
    next_cursor: str | None


def pages(client: Client, method: str, params: Mapping[str, Any], limit: int | None = None) -> Iterator[Page]:
    """Yield the pages of a list, up to so many items; all there are where no limit is given."""
    left = limit
    cursor: str | None = None
    while left is None or left > 0:
        asked = {**params, "limit": PAGE if left is None else min(left, PAGE), "cursor": cursor}
        page = client.call(method, asked, result=Page)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
        if left is not None:
            left -= len(page.items)


def every(client: Client, method: str, params: Mapping[str, Any], limit: int | None = None) -> list[msgspec.Raw]:
    """Return the items of a list, up to so many."""
    return [item for page in pages(client, method, params, limit) for item in page.items]


def decoded(items: list[msgspec.Raw] | tuple[msgspec.Raw, ...]) -> list[Any]:
    """Return items as JSON values."""
    return [msgspec.json.decode(item) for item in items]
