"""A version's lines: made from what is known now, and written in another format for who asks for it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from streams.data_harvesting.datasets.manifest import Changes
from streams.data_harvesting.record import PROVENANCE, Record

Format: TypeAlias = Literal["jsonl", "csv"]

MEDIA_TYPES: Final[Mapping[Format, str]] = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}
"""The formats that a version can be had in."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Rendering(msgspec.Struct, frozen=True):
    """What a version would be, were it made now.

    Attributes:
        lines: JSON lines, by key.
        digests: Each record's digest by its key.
        withheld: Records that are not sold, by reason.
        licences: Lines by licence.
        sources: Lines by host.
    """

    lines: bytes
    digests: dict[str, str]
    withheld: dict[str, int]
    licences: dict[str, int]
    sources: dict[str, int]

    @property
    def sha256(self) -> str:
        """The digest of the lines."""
        return sha256(self.lines).hexdigest()


def render(records: Iterable[Record], max_bytes: int) -> Rendering:
    """Return the version that records make; what may not be sold, or finds no room, is counted."""
    lines: list[bytes] = []
    size_bytes = 0
    digests: dict[str, str] = {}
    withheld: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for record in records:
        if record.terms.withheld:
            withheld[record.terms.withheld] += 1
            continue
        line = record.line()
        if size_bytes + len(line) > max_bytes:
            withheld["no_room"] += 1
            continue
        lines.append(line)
        size_bytes += len(line)
        digests[record.key] = record.digest
        licences[record.terms.licence] += 1
        sources[urlsplit(record.source).netloc] += 1
    return Rendering(b"".join(lines), digests, dict(withheld), dict(licences), dict(sources))


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Return how two versions differ, each given as digests by key."""
    return Changes(
        added=len(after.keys() - before.keys()),
        changed=sum(1 for key, digest in after.items() if before.get(key, digest) != digest),
        removed=len(before.keys() - after.keys()),
    )


def digests_in(lines: bytes, key_fields: Iterable[str]) -> dict[str, str]:
    """Return the digests in a version by key; those whose key cannot be read (by older recipes) are left out."""
    names = list(key_fields)
    found: dict[str, str] = {}
    encoder = msgspec.json.Encoder(order="sorted")
    for line in lines.splitlines():
        values = msgspec.json.decode(line)
        if all(name in values for name in names):
            found[encoder.encode([values[name] for name in names]).decode()] = values["_digest"]
    return found


def as_csv(lines: bytes, schema: Mapping[str, Any]) -> bytes:
    """Return a version's lines as CSV (RFC 4180) with a heading.

    A text that a spreadsheet would take for a formula gets an apostrophe in front: these texts are strangers'.
    """
    fields: Mapping[str, Mapping[str, Any]] = schema["properties"]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([*fields, *PROVENANCE])
    for line in lines.splitlines():
        values = msgspec.json.decode(line)
        writer.writerow(
            [
                *(_cell(values.get(name), is_text=_is_text(field)) for name, field in fields.items()),
                *(values.get(name, "") for name in PROVENANCE),
            ]
        )
    return file.getvalue().encode()


def _is_text(field: Mapping[str, Any]) -> bool:
    return "format" not in field and "integer" not in field["type"]


def _cell(value: Any, *, is_text: bool) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        value = " | ".join(value)
    if is_text and isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
