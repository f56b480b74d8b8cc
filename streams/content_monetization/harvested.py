"""Articles of harvested data: what a dataset's list and lines say, as Markdown.

What comes from another instance is taken as any stranger's text: bounded, and written so that none of it is markup.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from streams.content_monetization.article import Article, writable

MAX_ROWS: Final = 20
MAX_COLUMNS: Final = 5

_MAX_CELL_CHARS: Final = 90
_MAX_SOURCES: Final = 12
_MAX_URL_CHARS: Final = 500
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&:@-])")
_IN_LINKS: Final = re.compile(r"https?://[^\s<>\\\"]+")
_NOT_IN_SLUGS: Final = re.compile(r"[^a-z0-9]+")
_LINE: Final = msgspec.json.Decoder(dict[str, Any])


class Changes(msgspec.Struct, frozen=True):
    """How a version differs from the one before."""

    added: int = 0
    changed: int = 0
    removed: int = 0


class ListedVersion(msgspec.Struct, frozen=True):
    """A version of a dataset, as its seller lists it."""

    version: int
    sha256: str
    records: int
    created_at: datetime
    sellable: bool
    licences: dict[str, int] = {}
    sources: dict[str, int] = {}
    changes: Changes = Changes()


class ListedDataset(msgspec.Struct, frozen=True):
    """A dataset, as its seller lists it; the newest version first."""

    name: str
    title: str
    description: str
    price: str
    asset: str
    attribution: str = ""
    versions: tuple[ListedVersion, ...] = ()

    @property
    def latest(self) -> ListedVersion | None:
        """The newest version of which something may be used."""
        return next((version for version in self.versions if version.sellable), None)


class DatasetListing(msgspec.Struct, frozen=True):
    """What `GET /v1/datasets` answers."""

    items: tuple[ListedDataset, ...]


def licensed_rows(lines: bytes) -> list[dict[str, Any]]:
    """Return the records that come under a licence, of JSON lines; what is no record is left out."""
    rows = []
    for line in lines.splitlines():
        try:
            row = _LINE.decode(line)
        except msgspec.MsgspecError:
            continue
        if row.get("_licence"):
            rows.append(row)
    return rows


def dataset_article(dataset: ListedDataset, version: ListedVersion, rows: Sequence[Mapping[str, Any]]) -> Article:
    """Return the article of a version.

    Args:
        dataset: What its seller says of it.
        version: The version.
        rows: Its licensed records.
    """
    title = _line(dataset.title, 120)
    day = f"{version.created_at.day} {version.created_at:%B %Y}"
    text = [
        _escaped(_line(dataset.description, 400)),
        f"This is edition {version.version}, of {day}, with {len(rows)} records. {_changes(version)}",
        *_table(rows),
        "## Where this comes from",
        *_attribution(dataset, rows),
    ]
    return Article(
        slug=slug_of(dataset.name),
        title=f"{title}: the list of {day}",
        summary=f"{_line(dataset.description, 300)} Edition {version.version}, {len(rows)} records.".strip(),
        published=version.created_at,
        updated=version.created_at,
        tags=("data",),
        text="\n\n".join(part for part in text if part),
        origin="dataset",
    )


def slug_of(name: str) -> str:
    """Return the slug of a dataset's article."""
    return f"data-{_NOT_IN_SLUGS.sub('-', name.lower()).strip('-')[:60].strip('-') or 'set'}"


def _changes(version: ListedVersion) -> str:
    changes = version.changes
    if version.version == 1:
        return "It is the first."
    if not (changes.added or changes.changed or changes.removed):
        return "Nothing has changed since the edition before."
    counts = f"{changes.added} were added, {changes.changed} changed and {changes.removed} removed"
    return f"Since the edition before, {counts}."


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = [name for name in (rows[0] if rows else ()) if not name.startswith("_")][:MAX_COLUMNS]
    if not columns:
        return []
    lines = [_row([name.replace("_", " ").capitalize() for name in columns]), "|" + " --- |" * len(columns)]
    lines += [_row([_cell(row.get(name)) for name in columns]) for row in rows[:MAX_ROWS]]
    more = f"The table shows {MAX_ROWS} of {len(rows)}." if len(rows) > MAX_ROWS else ""
    return ["\n".join(lines), more]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return _line(", ".join(str(each) for each in value[:10]), _MAX_CELL_CHARS)
    return _line(str(value), _MAX_CELL_CHARS)


def _attribution(dataset: ListedDataset, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    licences = sorted({_line(str(row["_licence"]), 80) for row in rows})
    sources = _sources(rows)
    attribution = _escaped(_line(dataset.attribution, 300))
    lines = [f"Data: {attribution}" if attribution else ""]
    if sources:
        named = [f"[{_escaped(_line(host, 80))}](<{url}>)" for host, url in sorted(sources.items())[:_MAX_SOURCES]]
        lines.append(f"Sources: {', '.join(named)}{' and others' if len(sources) > _MAX_SOURCES else ''}.")
    if licences:
        lines.append(f"Licence: {', '.join(_escaped(licence) for licence in licences[:_MAX_SOURCES])}.")
    return lines


def _sources(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return by host the first address on it that records come from."""
    sources: dict[str, str] = {}
    for row in rows:
        url = str(row.get("_source", ""))
        if len(url) > _MAX_URL_CHARS or not url.isascii() or not _IN_LINKS.fullmatch(url):
            continue
        try:
            host = urlsplit(url).hostname
        except ValueError:
            continue
        if host:
            sources.setdefault(host, url)
    return sources


def _line(text: str, limit: int) -> str:
    line = " ".join(writable(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
