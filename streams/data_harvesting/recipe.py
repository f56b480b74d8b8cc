"""Recipes: where a dataset's records stand in the world, what they are, and on whose terms they may be sold."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from streams.data_harvesting.field import Field, FieldName

Role: TypeAlias = Literal["feed", "sitemap", "page"]
"""What an address leads to."""

DatasetName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]

FEED_PARTS: Final = ("id", "title", "link", "summary", "published", "author", "language")
"""What a field of a feed's entries can select."""

_MAX_EXPRESSION: Final = 300
_RESERVED: Final = frozenset({"latest"})


class SitePath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address on a site that goes by a name; in the sandbox, one of the paper world's.

    Attributes:
        site: The site's name, `site.gazette`.
        path: The path on it, with its query.
    """

    site: str
    path: str = "/"


Address: TypeAlias = str | SitePath
"""A URL, or a path on a named site."""


class LicenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """On whose terms records are sold.

    What a page forbids (`noai`, `noindex` and the like) is not sold, whatever is written here. What says nothing is
    collected, and not sold either, unless `granted` says that its owner agreed.

    Attributes:
        granted: The licence or contract under which the owner of the pages gives them to you, where they say nothing
            themselves; empty for none.
        attribution: Whom to name, told with every version.
        withheld: Licences under which nothing is sold although they would allow it.
    """

    granted: str = ""
    attribution: str = ""
    withheld: tuple[str, ...] = ()


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one dataset is harvested, and what a download of it costs.

    Attributes:
        title: The dataset's name for people.
        description: A line for people.
        price: What a download costs, decimal text in the settings' asset.
        feeds: RSS, Atom and JSON feeds to begin with.
        sitemaps: Sitemaps to begin with.
        pages: Pages to begin with.
        follow: Links are followed whose path (with its query) matches one of these regular expressions, on the
            hosts of the addresses above only.
        depth: How many links away from an address above.
        records: Whether a record is an entry of a feed, or stands on a page.
        records_on: Records are read from pages whose path matches this; empty for all.
        item: The CSS selector of a record's element; empty where the page is one record.
        fields: The fields by name. A record that does not fit them is rejected.
        key: The fields that tell a record from all others; required ones.
        licence: On whose terms records are sold.
        vanished: Whether a record stays in the dataset when the page that it stood on has it no more (`keep`, for
            feeds: they show the newest only), or goes (`drop`, for lists of what there is now).
        every_s: Time between two visits to what changes often, seconds.
        at_most_every_s: Time between two visits to what does not change, seconds.
        max_records: Largest number of records; the oldest make room.

    Raises:
        ValueError: A value does not make sense; says which, and what would.
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    price: str
    fields: dict[FieldName, Field]
    key: tuple[str, ...]
    description: Annotated[str, msgspec.Meta(max_length=300)] = ""
    feeds: tuple[Address, ...] = ()
    sitemaps: tuple[Address, ...] = ()
    pages: tuple[Address, ...] = ()
    follow: tuple[str, ...] = ()
    depth: int = 1
    records: Literal["feed", "page"] = "page"
    records_on: str = ""
    item: str = ""
    licence: LicenceRule = LicenceRule()
    vanished: Literal["keep", "drop"] = "keep"
    every_s: float = 60.0
    at_most_every_s: float = 6 * 3_600.0
    max_records: int = 5_000

    def __post_init__(self) -> None:
        for name, addresses in (("feeds", self.feeds), ("sitemaps", self.sitemaps), ("pages", self.pages)):
            for address in addresses:
                _check_address(name, address)
        if not self.addresses():
            raise ValueError("feeds, sitemaps, pages: name at least one address to begin with")
        if self.records == "feed" and not self.feeds:
            raise ValueError("records: they are to come from feeds, but no feed is named")
        for expression in (*self.follow, self.records_on):
            _check_expression(expression)
        self._check_fields()
        self._check_bounds()

    def addresses(self) -> list[tuple[Role, Address]]:
        """Return all addresses to begin with."""
        return [
            *(("feed", address) for address in self.feeds),
            *(("sitemap", address) for address in self.sitemaps),
            *(("page", address) for address in self.pages),
        ]

    def json_schema(self) -> dict[str, Any]:
        """Return what a record is, as JSON Schema; what stands beside its fields is `record.PROVENANCE`."""
        return {
            "type": "object",
            "properties": {name: field.json_schema() for name, field in self.fields.items()},
            "required": [name for name, field in self.fields.items() if field.required],
            "x-key": list(self.key),
        }

    def follows(self, path: str) -> bool:
        """Return whether a link with this path and query is followed."""
        return any(re.search(expression, path) is not None for expression in self.follow)

    def has_records_on(self, path: str) -> bool:
        """Return whether records are read from the page at this path and query."""
        return self.records == "page" and re.search(self.records_on, path) is not None

    def _check_fields(self) -> None:
        if not self.fields:
            raise ValueError("fields: name at least one")
        if not self.key:
            raise ValueError("key: name the fields that tell a record from all others")
        for name in self.key:
            if name not in self.fields:
                raise ValueError(f"key: there is no field {name!r}; there are {', '.join(self.fields)}")
            if not self.fields[name].required:
                raise ValueError(f"key: the field {name!r} must be required")
        if self.records == "feed":
            for name, field in self.fields.items():
                if field.select not in FEED_PARTS:
                    raise ValueError(
                        f"fields.{name}.select: an entry of a feed has {', '.join(FEED_PARTS)}, not {field.select!r}"
                    )

    def _check_bounds(self) -> None:
        if not 0 <= self.depth <= 10:
            raise ValueError(f"depth: from 0 to 10 links, not {self.depth}")
        if not 1 <= self.every_s <= self.at_most_every_s <= 7 * 86_400:
            raise ValueError(
                f"every_s, at_most_every_s: from 1 s to a week, the first not above the second, not {self.every_s:g} "
                f"and {self.at_most_every_s:g}"
            )
        if not 1 <= self.max_records <= 100_000:
            raise ValueError(f"max_records: from 1 to 100000, not {self.max_records}")


def check_dataset_name(name: str) -> None:
    """Check what a dataset is called.

    Raises:
        ValueError: It stands for something else.
    """
    if name in _RESERVED:
        raise ValueError(f"datasets: {name!r} means something else in addresses; choose another name")


def _check_address(name: str, address: Address) -> None:
    if isinstance(address, SitePath):
        if not address.site or not address.path.startswith("/"):
            raise ValueError(f"{name}: a path on a site starts with '/', and the site has a name")
        return
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name}: {address!r} is no http or https address")


def _check_expression(expression: str) -> None:
    if len(expression) > _MAX_EXPRESSION:
        raise ValueError(f"follow, records_on: at most {_MAX_EXPRESSION} characters, not {len(expression)}")
    try:
        re.compile(expression)
    except re.error as error:
        raise ValueError(f"follow, records_on: {expression!r} is no regular expression: {error}") from None
