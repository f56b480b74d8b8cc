"""A field of a record: where its value stands, what it must be, and what becomes of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

FieldType: TypeAlias = Literal["text", "integer", "decimal", "boolean", "date", "time", "url", "list"]
"""How a value is written in a dataset.

A decimal is text, `12.50`, so that no reader rounds it; a date is `2026-11-25`, a time RFC 3339 in UTC.
"""

FieldName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]

RawValue: TypeAlias = "str | datetime | list[str] | None"
"""A value as it was found: text, what a feed has made of it already, or None where there is none."""

_MAX_TEXT: Final = 4_000
_MAX_LIST: Final = 50
_MAX_SEARCHED: Final = 16_000
"""Longest text that an expression is looked for in. While it is, no other thread of the process runs."""

_MAX_PATTERN: Final = 300
_SPACE: Final = re.compile(r"\s+")
_TRUE: Final = frozenset({"true", "yes", "1", "on", "available", "open"})
_FALSE: Final = frozenset({"false", "no", "0", "off", "unavailable", "closed"})
_ORDERED: Final = frozenset({"integer", "decimal", "date", "time"})
_JSON_TYPES: Final[dict[FieldType, dict[str, Any]]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "string", "format": "decimal"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "date-time"},
    "url": {"type": "string", "format": "uri"},
    "list": {"type": "array", "items": {"type": "string"}},
}


class ValueRefused(Exception):
    """A value that is not what its field takes.

    Attributes:
        code: A stable name of the reason: `missing`, `type`, `pattern`, `range` or `too_long`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a recipe's records.

    Attributes:
        type: What the value is.
        select: On a page: the CSS selector of the element, within the record's own; empty for the record's own.
            In a feed: the part of the entry, `title` for example.
        attribute: The attribute that is read instead of the element's text.
        extract: A regular expression whose first group is the value; empty for all of it. It is looked for in texts of
            strangers, up to 16,000 characters: repetitions in repetitions, `(a+)+`, can take for ever there.
        required: Whether a record without it is rejected.
        pattern: A regular expression that the whole value must match; for texts and URLs.
        minimum: The least that it may be, written as in a dataset; for numbers, dates and times.
        maximum: The most that it may be.
        comma: Whether numbers are written `1.234,50` where they are found.
        unit: What a number counts, for people.
        description: A line for people.

    Raises:
        ValueError: A value does not make sense; says which, and what would.
    """

    type: FieldType = "text"
    select: str = ""
    attribute: str = ""
    extract: str = ""
    required: bool = True
    pattern: str = ""
    minimum: str | None = None
    maximum: str | None = None
    comma: bool = False
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        _check_expression("extract", self.extract, groups=1)
        _check_expression("pattern", self.pattern, groups=0)
        if self.pattern and self.type not in ("text", "url", "list"):
            raise ValueError(f"pattern: only text, url and list have one; a {self.type} has minimum and maximum")
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is None:
                continue
            if self.type not in _ORDERED:
                raise ValueError(f"{name}: a {self.type} has no order; use pattern")
            try:
                self._bound(bound)
            except ValueRefused as error:
                raise ValueError(f"{name}: {error}") from None

    def read(self, raw: RawValue) -> Any:
        """Return a value as it stands in a dataset; None where there is none and none is required.

        Raises:
            ValueRefused: It is not what this field takes.
        """
        found = self._found(raw)
        if found is None:
            if self.required:
                raise ValueRefused("missing", "there is none")
            return None
        value = self._converted(found)
        self._check_pattern(value)
        self._check_range(value)
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return what a value is, as JSON Schema."""
        schema = dict(_JSON_TYPES[self.type])
        if not self.required:
            schema["type"] = [schema["type"], "null"]
        if self.pattern and self.type != "list":
            schema["pattern"] = f"^(?:{self.pattern})$"
        for name, bound in (("minimum", self.minimum), ("maximum", self.maximum)):
            if bound is not None:
                # JSON Schema orders numbers only; what else has an order keeps its bound as an annotation.
                schema[name if self.type == "integer" else f"x-{name}"] = self._bound(bound)
        if self.unit:
            schema["x-unit"] = self.unit
        if self.description:
            schema["description"] = self.description
        return schema

    def _found(self, raw: RawValue) -> RawValue:
        if isinstance(raw, str):
            text = _clean(raw)
            if self.extract and text:
                if len(text) > _MAX_SEARCHED:
                    raise ValueRefused(
                        "too_long", f"more than {_MAX_SEARCHED} characters to look for {self.extract} in"
                    )
                match = re.search(self.extract, text)
                text = _clean(match.group(1) or "") if match is not None else ""
            return text or None
        if isinstance(raw, list):
            texts = [text for each in raw if (text := _clean(each))]
            return texts or None
        return raw

    def _converted(self, found: RawValue) -> Any:
        if self.type == "list":
            return _list_of(found)
        if isinstance(found, list):
            found = ", ".join(found)
        if isinstance(found, datetime):
            return _from_moment(self.type, found)
        assert found is not None
        if self.type in ("text", "url"):
            return _text_of(self.type, found)
        if len(found) > _MAX_TEXT:
            raise ValueRefused("too_long", f"more than {_MAX_TEXT} characters")
        return self._from_text(found, comma=self.comma)

    def _from_text(self, text: str, *, comma: bool) -> Any:
        if self.type == "boolean":
            return _boolean_of(text)
        if self.type == "date":
            return _moment_of(text).date().isoformat()
        if self.type == "time":
            return rfc3339(_moment_of(text))
        number = _number_of(text, comma=comma)
        if self.type == "decimal":
            return format(number, "f")
        if number != number.to_integral_value():
            raise ValueRefused("type", f"{text[:40]!r} is no whole number")
        return int(number)

    def _check_pattern(self, value: Any) -> None:
        if not self.pattern:
            return
        for text in value if isinstance(value, list) else [value]:
            if re.fullmatch(self.pattern, text) is None:
                raise ValueRefused("pattern", f"{text[:40]!r} does not match {self.pattern}")

    def _check_range(self, value: Any) -> None:
        order = partial(_order, self.type)
        if self.minimum is not None and order(value) < order(self._bound(self.minimum)):
            raise ValueRefused("range", f"{value} is below {self.minimum}")
        if self.maximum is not None and order(value) > order(self._bound(self.maximum)):
            raise ValueRefused("range", f"{value} is above {self.maximum}")

    def _bound(self, written: str) -> Any:
        return self._from_text(written, comma=False)


def rfc3339(moment: datetime) -> str:
    """Return a moment as it stands in a dataset, to the second: `2026-11-25T12:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clean(text: str) -> str:
    """Return a text without what cannot be shown, its white space as single blanks."""
    shown = "".join(character for character in text if character.isprintable() or character.isspace())
    return _SPACE.sub(" ", shown).strip()


def _check_expression(name: str, expression: str, *, groups: int) -> None:
    if len(expression) > _MAX_PATTERN:
        raise ValueError(f"{name}: at most {_MAX_PATTERN} characters, not {len(expression)}")
    try:
        found = re.compile(expression).groups
    except re.error as error:
        raise ValueError(f"{name}: {expression!r} is no regular expression: {error}") from None
    if expression and found < groups:
        raise ValueError(f"{name}: {expression!r} needs a group around the value, like 'EUR ([0-9.]+)'")


def _list_of(found: RawValue) -> list[str]:
    texts = found if isinstance(found, list) else [str(found)]
    if len(texts) > _MAX_LIST or any(len(text) > _MAX_TEXT for text in texts):
        raise ValueRefused("too_long", f"more than {_MAX_LIST} values, or one above {_MAX_TEXT} characters")
    return list(dict.fromkeys(texts))


def _text_of(kind: FieldType, text: str) -> str:
    if len(text) > _MAX_TEXT:
        raise ValueRefused("too_long", f"more than {_MAX_TEXT} characters")
    if kind == "url" and re.fullmatch(r"https?://[^\s/?#]+\S*", text) is None:
        raise ValueRefused("type", f"{text[:40]!r} is no address")
    return text


def _from_moment(kind: FieldType, moment: datetime) -> str:
    if kind == "date":
        return moment.astimezone(UTC).date().isoformat()
    if kind in ("time", "text"):
        return rfc3339(moment)
    raise ValueRefused("type", f"a time is no {kind}")


def _boolean_of(text: str) -> bool:
    word = text.casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueRefused("type", f"{text[:40]!r} is neither yes nor no")


def _number_of(text: str, *, comma: bool) -> Decimal:
    plain = text.replace(".", "").replace(",", ".") if comma else text.replace(",", "")
    plain = plain.replace("\N{MINUS SIGN}", "-").replace(" ", "")
    try:
        number = Decimal(plain)
    except InvalidOperation:
        raise ValueRefused("type", f"{text[:40]!r} is no number") from None
    if not number.is_finite() or abs(number.adjusted()) > 30 or len(plain) > 40:
        raise ValueRefused("type", f"{text[:40]!r} is no number of a usual size")
    return number


def _moment_of(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, IndexError, TypeError):
            raise ValueRefused("type", f"{text[:40]!r} is no date or time (ISO 8601, RFC 5322)") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueRefused("type", f"{text[:40]!r} is out of all time") from None


def _order(kind: FieldType, value: Any) -> Any:
    if kind == "decimal":
        return Decimal(value)
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "time":
        return datetime.fromisoformat(value)
    return value
