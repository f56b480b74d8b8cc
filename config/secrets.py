"""Secrets: those a person puts into `.env`, and those the daemon makes itself.

They are never exported to the environment (children would inherit them) and never shown with the
configuration.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from config.env_file import parse_env
from config.errors import ConfigError, Fault, HomeError
from config.reading import NotRegular, TooLarge, read_regular
from config.saving import create_exclusively

_TOKEN_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,256}")

_HEADER = """\
# Secrets, one KEY=VALUE a line. Only the daemon's user may read this file.
# 'single' and "double" quotes may span lines; in double quotes \\n, \\t, \\" and \\\\ mean what they usually do.
"""


class Secret:
    """A text that does not show itself: not printed, formatted, logged, encoded or pickled.

    Two secrets are compared in constant time.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; keep it short-lived and out of messages."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('[redacted]')"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]


class EnvFile:
    """What `.env` says.

    Attributes:
        secrets: By key.
        warnings: What was not as it should be and has been put right, for the log.
    """

    __slots__ = ("secrets", "warnings")

    def __init__(self, secrets: Mapping[str, Secret], warnings: tuple[str, ...]) -> None:
        self.secrets = secrets
        self.warnings = warnings

    def reveal(self, key: str) -> str | None:
        """Return the text of a secret; None where it is not set."""
        secret = self.secrets.get(key)
        return None if secret is None else secret.reveal()

    def __repr__(self) -> str:
        return f"EnvFile({', '.join(self.secrets)})"


def read_env(file: Path) -> EnvFile:
    """Read `.env`; where there is none, make one that says what it is for.

    A file that others may read is tightened to 0600, with a warning: what was in it may be known.

    Raises:
        ConfigError: It is no file of `KEY=VALUE` lines. Values are not part of the text.
        HomeError: It can neither be read nor be made safe.
    """
    warnings: list[str] = []
    values = parse_env(_read_or_make(file, _HEADER, warnings), file)
    return EnvFile({key: Secret(value) for key, value in values.items()}, tuple(warnings))


def ensure_token(directory: Path, name: str) -> Secret:
    """Return the daemon's own token of that name, made on the first call: 256 random bits, mode 0600.

    Several processes that ask at once get the same token. Raises `HomeError` where it cannot be stored, or
    what is stored is no token.
    """
    if _TOKEN_NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a token")
    file = directory / name
    stored = _read_or_make(file, f"{secrets.token_urlsafe(32)}\n", [])
    if _TOKEN.fullmatch(stored.strip()) is None:
        raise HomeError(f"{file} holds no token; remove it, and a new one is made at the next start")
    return Secret(stored.strip())


def _read_or_make(file: Path, content: str, warnings: list[str]) -> str:
    """Return a private file's text; where there is no file, make it with this content."""
    stored = _read_private(file, warnings)
    if stored is not None:
        return stored
    try:
        create_exclusively(file, content.encode())
    except FileExistsError:
        # Another process was quicker, and what it made is in force; or it is a link that leads nowhere.
        stored = _read_private(file, warnings)
        if stored is None:
            raise HomeError(f"{file} is a link that leads nowhere; remove it or make its target") from None
        return stored
    except OSError as error:
        raise HomeError(f"{file} cannot be made: {error.strerror}; make {file.parent} writable") from error
    return content


def _read_private(file: Path, warnings: list[str]) -> str | None:
    """Return a file's text, None where there is none, and see to it that only its owner may read it."""

    def tighten(descriptor: int, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not mode & 0o077:
            return
        try:
            os.fchmod(descriptor, 0o600)
        except OSError as error:
            raise HomeError(
                f"{file} is open to others (mode {mode:04o}) and belongs to another user; "
                f"have its owner run: chmod 600 {file}"
            ) from error
        warnings.append(
            f"{file} was open to others (mode {mode:04o}); it is 0600 now. Replace the secrets in it if "
            f"anyone else may have read them"
        )

    try:
        data = read_regular(file, tighten)
    except NotRegular as error:
        raise HomeError(f"{error}; put a regular file in its place") from None
    except TooLarge as error:
        raise HomeError(f"{error}; it holds something other than secrets") from None
    except OSError as error:
        raise HomeError(f"{file} cannot be read: {error.strerror}; make it readable for this user") from error
    if data is None:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fault = Fault("$", "UTF-8 text", "another byte", line=line, column=1)
        raise ConfigError.of(file, [fault]) from None
