"""A record of a dataset: its values, where they come from, and whether they may be sold."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from streams.data_harvesting.field import RawValue, ValueRefused
from streams.data_harvesting.recipe import Recipe

PROVENANCE: Final[dict[str, dict[str, Any]]] = {
    "_source": {"type": "string", "format": "uri", "description": "The page or feed that the record stood on."},
    "_fetched_at": {"type": "string", "format": "date-time", "description": "When it was first seen like this."},
    "_digest": {"type": "string", "description": "SHA-256 of the record's fields, as JSON with sorted names."},
    "_licence": {"type": "string", "description": "The licence that it comes under."},
}
"""What stands beside a record's own fields."""

_MAX_KEY: Final = 500
_CONTENT: Final = msgspec.json.Encoder(order="sorted")
_LINE: Final = msgspec.json.Encoder()


class Terms(msgspec.Struct, frozen=True):
    """On whose terms a record was found.

    Attributes:
        licence: The licence that it comes under; empty where none is known.
        withheld: Why it is not sold; empty where it is.
    """

    licence: str = ""
    withheld: str = ""


class Record(msgspec.Struct, frozen=True):
    """A valid record.

    Attributes:
        key: What tells it from all others of its dataset.
        values: Its fields, in the recipe's order.
        digest: SHA-256 of the fields.
        source: The page or feed that it stood on.
        fetched_at: When that was fetched, RFC 3339.
        terms: On whose terms.
    """

    key: str
    values: dict[str, Any]
    digest: str
    source: str
    fetched_at: str
    terms: Terms

    def line(self) -> bytes:
        """Return the record as it stands in a version: a line of JSON, with its end."""
        provenance = {
            "_source": self.source,
            "_fetched_at": self.fetched_at,
            "_digest": self.digest,
            "_licence": self.terms.licence,
        }
        return _LINE.encode({**self.values, **provenance}) + b"\n"


class RecordRejected(Exception):
    """Something that looked like a record and is none.

    Attributes:
        code: A stable name of the reason, for counting.
        field: The field that it failed on.
    """

    def __init__(self, code: str, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.code = code
        self.field = field


def record_of(recipe: Recipe, raw: Mapping[str, RawValue], source: str, fetched_at: str, terms: Terms) -> Record:
    """Return the record that raw values make.

    Raises:
        RecordRejected: They do not fit the recipe.
    """
    values: dict[str, Any] = {}
    for name, field in recipe.fields.items():
        try:
            values[name] = field.read(raw.get(name))
        except ValueRefused as error:
            raise RecordRejected(error.code, name, str(error)) from None
    key = key_of(recipe, values)
    if len(key) > _MAX_KEY:
        raise RecordRejected("too_long", recipe.key[0], f"a key has at most {_MAX_KEY} characters")
    return Record(key, values, digest_of(values), source, fetched_at, terms)


def key_of(recipe: Recipe, values: Mapping[str, Any]) -> str:
    """Return what tells a record from all others: its key fields as JSON, so that no two keys look alike."""
    return _CONTENT.encode([values[name] for name in recipe.key]).decode()


def key_of_raw(recipe: Recipe, raw: Mapping[str, RawValue]) -> str | None:
    """Return the key of something that was rejected; None where that cannot be read either."""
    try:
        return key_of(recipe, {name: recipe.fields[name].read(raw.get(name)) for name in recipe.key})
    except ValueRefused:
        return None


def digest_of(values: Mapping[str, Any]) -> str:
    """Return the digest of a record's fields, whatever their order."""
    return sha256(_CONTENT.encode(values)).hexdigest()
