"""One JSON file as text: read it bounded, parse it strictly, write it out.

Python's parser finds the place where a text breaks, which a person needs; what it lets through (`NaN`, a
key that stands twice, half a surrogate pair, numbers without end) is found here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from config.errors import ConfigError, Fault, child_path, quoted
from config.reading import MAX_FILE_BYTES, NotRegular, TooLarge, read_regular

MAX_DEPTH = 64
"""How deep objects and lists may be nested."""

_BOM = b"\xef\xbb\xbf"
_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONGEST_INTEGER = 40
_EXPECTATIONS = {
    "Expecting value": "a JSON value",
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Illegal trailing comma before end of object": "a key in double quotes",
    "Illegal trailing comma before end of array": "a JSON value",
    "Expecting ':' delimiter": 'a ":" after the key',
    "Expecting ',' delimiter": 'a "," or the end of the object or list',
    "Extra data": "the end of the file",
    "Unterminated string starting at": "a closing '\"' for the text that starts here",
}


class NotJson(Exception):
    """A text is not JSON.

    Attributes:
        fault: Where it breaks, and what was expected there.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.expected)
        self.fault = fault


class Parsed:
    """A JSON value, and the objects in it that have a key twice."""

    __slots__ = ("repeated", "value")

    def __init__(self, value: object, repeated: list[tuple[dict[str, Any], str]]) -> None:
        self.value = value
        self.repeated = repeated


def read_bytes(file: Path) -> bytes | None:
    """Return what stands in a file, None where there is none.

    Raises `ConfigError` where it cannot be read, is no regular file, or is larger than `MAX_FILE_BYTES`.
    """
    try:
        return read_regular(file)
    except NotRegular:
        fault = Fault("$", "a regular file", "a directory, pipe or device")
    except TooLarge:
        fault = Fault("$", f"at most {MAX_FILE_BYTES} bytes", "a larger file")
    except OSError as error:
        fault = Fault("$", "a file that can be read", f"{error.strerror} (error {error.errno})")
    raise ConfigError.of(file, [fault])


def parse(data: bytes) -> Parsed:
    """Parse exactly what RFC 8259 calls JSON, in UTF-8 without a byte order mark; raises `NotJson`."""
    text = _decoded(data)
    repeated: list[tuple[dict[str, Any], str]] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            repeated.extend((members, key) for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return members

    try:
        value = json.loads(text, object_pairs_hook=build, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        expected = _EXPECTATIONS.get(error.msg, f"valid JSON ({error.msg})")
        raise NotJson(_fault_at(text, error.pos, expected)) from None
    except _ConstantFound as error:
        position = next(match.start() for match in _CONSTANT.finditer(text) if match[1])
        raise NotJson(_fault_at(text, position, "a JSON value", found=error.args[0])) from None
    except RecursionError:
        raise NotJson(Fault("$", f"at most {MAX_DEPTH} levels of nesting", "hundreds")) from None
    return Parsed(value, repeated)


def content_faults(parsed: Parsed) -> Iterator[Fault]:
    """Yield what is JSON but cannot be configuration: repeated keys, and what does not survive a save."""
    repeated: dict[int, list[str]] = {}
    for members, key in parsed.repeated:
        repeated.setdefault(id(members), []).append(key)
    waiting: list[tuple[str, object, int]] = [("$", parsed.value, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, dict | list) and depth >= MAX_DEPTH:
            yield Fault(path, f"at most {MAX_DEPTH} levels of nesting", "more")
            continue
        if isinstance(value, dict):
            for key in dict.fromkeys(repeated.get(id(value), ())):
                yield Fault(child_path(path, key), "each key once", f"{quoted(key)} again")
            for key in value:
                yield from _scalar_faults(path, key)
            waiting += [(child_path(path, key), value[key], depth + 1) for key in reversed(value)]
        elif isinstance(value, list):
            waiting += [(child_path(path, n), value[n], depth + 1) for n in reversed(range(len(value)))]
        else:
            yield from _scalar_faults(path, value)


def render(value: object) -> bytes:
    """Return a JSON value as it stands in a file: two spaces, real characters, a newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _scalar_faults(path: str, value: object) -> Iterator[Fault]:
    if isinstance(value, str) and _SURROGATE.search(value):
        yield Fault(path, "text of whole Unicode characters", f"half a surrogate pair in {quoted(value)}")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Fault(path, "an integer of at most 64 bits", quoted(value))
    elif isinstance(value, float) and not math.isfinite(value):
        yield Fault(path, "a number that a double can hold", "one that is too large")


def _decoded(data: bytes) -> str:
    if data.startswith(_BOM):
        raise NotJson(Fault("$", "UTF-8 without a byte order mark", "one (bytes EF BB BF)", line=1, column=1))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data[: error.start].decode("utf-8")
        found = f"the byte 0x{data[error.start]:02X}"
        raise NotJson(_fault_at(text, len(text), "UTF-8 text", found=found)) from None


def _fault_at(text: str, position: int, expected: str, found: str | None = None) -> Fault:
    if found is None:
        found = quoted(text[position]) if position < len(text) else "the end of the file"
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return Fault("$", expected, found, line=line, column=column)


class _ConstantFound(Exception):
    """`NaN` or an infinity stands in a text; the parser does not say where."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantFound(name)


def _integer(text: str) -> int:
    # A longer one is refused for its size anyway, and converting a million digits takes minutes.
    return int(text[:_LONGEST_INTEGER])
