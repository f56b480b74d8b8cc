"""What a log line may say: plain values of bounded size, without secrets.

Two nets, because either alone has holes: the name under which a value stands (`password=…`), and the
look of the value itself (`Bearer …` inside an error's message).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import msgspec

REDACTED: Final = "[redacted]"

MAX_TEXT_CHARS: Final = 8192
MAX_ITEMS: Final = 64
MAX_DEPTH: Final = 10
MAX_NODES: Final = 4096

_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    {
        "apikey",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "jwt",
        "mnemonic",
        "passphrase",
        "passwd",
        "password",
        "passwords",
        "secret",
        "secrets",
        "signature",
        "token",
        "tokens",
    }
)
# What a secret is about may be told: its id, its age, how many there are.
_HARMLESS_ENDINGS: Final = frozenset(
    {"age", "at", "bytes", "count", "file", "id", "ids", "kind", "length", "name", "path", "s", "size", "type"}
)
_HARMLESS_KEYS: Final = frozenset({"cache", "foreign", "idempotency", "partition", "primary", "public", "sort"})

# Text is searched for these before the (slower) patterns are tried on it.
_HINTS: Final = (
    "ak_",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
    "basic ",
    "bearer",
    "eyj",
    "gh",
    "private key",
    "passw",
    "secret",
    "sk_",
    "token",
    "whsec_",
    "://",
)
_NAMED: Final = r"[\w-]*(?:token|secret|passw(?:or)?d|api[_-]?key|authorization)"
_PATTERNS: Final = (
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL), REDACTED),
    (re.compile(r"\b([as]k_(?:test|live)_)[\w-]+"), rf"\1{REDACTED}"),
    (re.compile(r"\b(whsec_)[\w+/=-]+"), rf"\1{REDACTED}"),
    (re.compile(r"\b(gh[opsur]_|github_pat_)\w{16,}"), rf"\1{REDACTED}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), REDACTED),
    (re.compile(r"\b(Bearer\s+)[\w.~+/=-]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(r"(authorization\W{1,4}basic\s+)[\w+/=-]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,31}://[^\s/:@]{0,256}:)[^\s/@]{1,512}@", re.IGNORECASE),
        rf"\1{REDACTED}@",
    ),
    (re.compile(rf"\b({_NAMED}=)([\"']).*?\2", re.IGNORECASE), rf"\1{REDACTED}"),
    (re.compile(rf"\b({_NAMED}=)[^\s&;,)'\"\[]+", re.IGNORECASE), rf"\1{REDACTED}"),
    (
        re.compile(rf"(([\"']){_NAMED}\2\s*:\s*)([\"'])(?!{re.escape(REDACTED)}).*?\3", re.IGNORECASE),
        rf"\1\3{REDACTED}\3",
    ),
)


@lru_cache(maxsize=4096)
def is_sensitive(name: str) -> bool:
    """Return whether what stands under this name is kept out of the log.

    Names are read word by word, so `apiKey`, `API-Key` and `api_key` are one, and `tokenizer` is none.
    """
    words = [word.lower() for word in _WORD.findall(name[:256])]
    if not words or words[-1] in _HARMLESS_ENDINGS:
        return False
    if words[-1] in ("key", "keys"):
        return not (len(words) > 1 and words[-2] in _HARMLESS_KEYS)
    return not _SECRET_WORDS.isdisjoint(words)


def redact_text(text: str) -> str:
    """Return the text with what looks like a secret taken out, and cut to a bounded length."""
    if len(text) > MAX_TEXT_CHARS:
        text = f"{text[:MAX_TEXT_CHARS]}… ({len(text) - MAX_TEXT_CHARS} more characters)"
    if not text.isascii():
        # A lone surrogate (a file name that is not UTF-8) cannot be encoded.
        text = text.encode("utf-8", "backslashreplace").decode()
    lowered = text.lower()
    for hint in _HINTS:
        if hint in lowered:
            break
    else:
        return text
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


redact_name = lru_cache(maxsize=1024)(redact_text)
"""`redact_text` for what is the same again and again: names of events and loggers."""


def redact(value: object) -> Any:
    """Return the value as plain JSON types: secrets out, depth, width and length bounded.

    Never raises: an object whose `repr` fails is named by its type.
    """
    return _Redactor().plain(value, 0)


def redact_field(name: str, value: object) -> Any:
    """Return the value as `redact` does, or a mark where its name says that it is a secret."""
    return _Redactor().named(name, value, 0)


class _Redactor:
    """One walk through one value; counts what it has visited, so that no value is endless."""

    def __init__(self) -> None:
        self._nodes_left = MAX_NODES

    def named(self, name: str, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool) or not is_sensitive(name):
            return self.plain(value, depth)
        if isinstance(value, int) and name[-1] in "sS":
            return self.plain(value, depth)  # a number of tokens or keys
        return REDACTED

    def plain(self, value: object, depth: int) -> Any:
        self._nodes_left -= 1
        kind = type(value)
        if kind is str:
            return redact_text(value)  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**63 else described(value)  # type: ignore[operator]
        if kind is float:
            return value if math.isfinite(value) else str(value)  # type: ignore[arg-type]
        if depth >= MAX_DEPTH or self._nodes_left <= 0:
            return "…"
        if isinstance(value, Mapping):
            return self._fields(value.items(), len(value), depth)
        if isinstance(value, (list, tuple, AbstractSet)):
            return self._items(value, depth)
        return self._object(value, depth)

    def _fields(self, items: Iterable[tuple[object, object]], count: int, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, value in items:
            if len(fields) == MAX_ITEMS:
                fields["…"] = f"{count - MAX_ITEMS} more"
                break
            name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
            fields[redact_text(name[:256])] = self.named(name, value, depth + 1)
        return fields

    def _items(self, values: list[Any] | tuple[Any, ...] | AbstractSet[Any], depth: int) -> list[Any]:
        if len(values) == 2 and isinstance(values, (list, tuple)):
            name = values[0].decode("latin-1") if isinstance(values[0], bytes) else values[0]
            if isinstance(name, str) and isinstance(values[1], (str, bytes)) and is_sensitive(name):
                return [redact_text(name), REDACTED]  # a header, as HTTP libraries keep them
        plain: list[Any] = []
        for value in values:
            if len(plain) == MAX_ITEMS:
                plain.append(f"… {len(values) - MAX_ITEMS} more")
                break
            plain.append(self.plain(value, depth + 1))
        return plain

    def _object(self, value: object, depth: int) -> Any:
        if isinstance(value, Enum):
            return self.plain(value.value, depth + 1)
        if isinstance(value, str) and type(value).__repr__ is str.__repr__:
            return redact_text(str(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value)} bytes>"
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (PurePath, Decimal, UUID)):
            return redact_text(str(value))
        if isinstance(value, BaseException):
            return redact_text(f"{type(value).__name__}: {described(value, str)}")
        if isinstance(value, msgspec.Struct) and type(value).__repr__ is msgspec.Struct.__repr__:
            names = value.__struct_fields__
            return self._fields(((name, getattr(value, name, None)) for name in names), len(names), depth)
        # Everything else says of itself what it wants known: a Secret's repr is its mask.
        return redact_text(described(value))


def described(value: object, describe: Callable[[object], str] = repr) -> str:
    """Return what an object says of itself, or that it failed to say anything."""
    try:
        return describe(value)
    except Exception as failure:  # noqa: BLE001 - a repr is foreign code; the line says that it failed
        return f"<{type(value).__name__}, whose repr raised {type(failure).__name__}>"
