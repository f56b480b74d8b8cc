"""The syntax of `.env`: KEY=VALUE lines with quotes and comments. Nothing is expanded or executed."""

from __future__ import annotations

import re
from pathlib import Path

from config.errors import ConfigError, Fault

_KEY = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=")
_BLANK_LINE = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_OPENING = re.compile(r"[ \t]*(['\"])")
_SINGLE = re.compile(r"[ \t]*'([^']*)'")
_DOUBLE = re.compile(r'[ \t]*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
# A "#" inside a value is part of it (passwords, colours); a comment has a blank before it.
_COMMENT = re.compile(r"[ \t]#")


def parse_env(text: str, file: Path) -> dict[str, str]:
    r"""Return keys and values.

    A bare value ends at the line's end or at a blank and `#`. In single quotes everything stands for itself;
    in double quotes `\n`, `\r` and `\t` are what they are elsewhere, and any other character after a
    backslash is itself. Quoted values may span lines, as keys in PEM format do.

    Raises:
        ConfigError: With the line and column. No part of a value is in its text.
    """
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    first_lines: dict[str, int] = {}
    position = counted = 0
    line = 1
    while position < len(text):
        if blank := _BLANK_LINE.match(text, position):
            position = blank.end()
            continue
        line += text.count("\n", counted, position)
        counted = position
        match = _KEY.match(text, position)
        if match is None:
            raise _error(file, line, "KEY=VALUE, or # and a comment", "something else")
        key = match[1]
        if key in values:
            raise _error(file, line, f"{key} once", f"it again, after line {first_lines[key]}")
        values[key], position = _value(text, match.end(), key, file, line)
        first_lines[key] = line
        if "\0" in values[key]:
            raise _error(file, line, f"a value of {key} without zero bytes", "one")
    return values


def _value(text: str, position: int, key: str, file: Path, line: int) -> tuple[str, int]:
    """Return a value and where the next line starts."""
    opening = _OPENING.match(text, position)
    if opening is None:
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        return _COMMENT.split(text[position:end], maxsplit=1)[0].strip(), end + 1
    quote = opening[1]
    quoted = (_SINGLE if quote == "'" else _DOUBLE).match(text, position)
    if quoted is None:
        raise _error(file, line, f"a closing {quote} for the value of {key}", "the end of the file")
    rest = _BLANK_LINE.match(text, quoted.end())
    if rest is None:
        raise _error(file, line, f"nothing behind the quoted value of {key}", "more text")
    if quote == "'":
        return quoted[1], rest.end()
    return _ESCAPE.sub(lambda escape: _ESCAPED.get(escape[1], escape[1]), quoted[1]), rest.end()


def _error(file: Path, line: int, expected: str, found: str) -> ConfigError:
    return ConfigError.of(file, [Fault("$", expected, found, line=line, column=1)])
