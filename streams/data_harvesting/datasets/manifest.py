"""What a version of a dataset says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Changes(msgspec.Struct, frozen=True):
    """How a version differs from the one before, in records that are sold."""

    added: int
    changed: int
    removed: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The description of a version. A version never changes.

    Attributes:
        name: The dataset's name.
        version: Its number, from 1, without gaps.
        title: The dataset's name for people.
        schema: What a line is, as JSON Schema.
        records: How many lines there are.
        withheld: How many records are known but not sold, by reason.
        licences: How many lines there are by licence.
        attribution: Whom to name.
        sources: How many lines there are by the host that they come from.
        sha256: Of the lines, uncompressed, hexadecimal.
        size_bytes: Their size, uncompressed.
        created_at: When it was made.
        changes: Against the version before; against nothing for the first.
    """

    name: str
    version: int
    title: str
    schema: dict[str, Any]
    records: int
    withheld: dict[str, int]
    licences: dict[str, int]
    attribution: str
    sources: dict[str, int]
    sha256: str
    size_bytes: int
    created_at: datetime
    changes: Changes

    @property
    def sellable(self) -> bool:
        """Whether there is anything in it that may be sold."""
        return self.records > 0
