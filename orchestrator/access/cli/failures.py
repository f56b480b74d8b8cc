"""How a command fails: the exit status of sysexits.h, and what a person is told."""

from __future__ import annotations

import io
import os
import traceback
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from orchestrator.access.client import RpcFailure

FAILED: Final = 1
USAGE: Final = 64
NO_INPUT: Final = 66
UNAVAILABLE: Final = 69
SOFTWARE: Final = 70
IO_ERROR: Final = 74
TEMPORARY: Final = 75
NOT_ALLOWED: Final = 77
CONFIGURATION: Final = 78
INTERRUPTED: Final = 130

_DEBUG_VARIABLE: Final = "AUTOMATE_TRACEBACK"

_BY_RPC_CODE: Final = {
    -32601: USAGE,
    -32602: USAGE,
    -32001: NO_INPUT,
    -32002: FAILED,
    -32003: NOT_ALLOWED,
    -32004: TEMPORARY,
}
"""What the daemon answers, as an exit status; anything else is a fault of the daemon's: 70."""


class CommandFailed(Exception):
    """A command cannot do what it was asked for; the text says why, and what to do."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WrongConfiguration(CommandFailed):
    """The daemon refuses the configuration; it says every problem on a line of its own."""

    def __init__(self, problems: str) -> None:
        super().__init__(f"the configuration cannot be used, and nothing was changed:\n{problems}", CONFIGURATION)


def explain(error: BaseException) -> tuple[int, str]:
    """Return the exit status of a failure, and what to print about it."""
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return INTERRUPTED, ""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return USAGE, error.format_message()
    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        error.show(shown)
        return (USAGE if isinstance(error, click.UsageError) else FAILED), shown.getvalue().rstrip()
    return _explain_own(error)


def _explain_own(error: BaseException) -> tuple[int, str]:
    from orchestrator.access.client import RpcFailure

    if isinstance(error, RpcFailure):
        return _BY_RPC_CODE.get(error.code, SOFTWARE), _of_daemon(error)
    exit_code = getattr(error, "exit_code", None)
    if isinstance(exit_code, int) and hasattr(error, "problems"):
        return _explain_own(WrongConfiguration(str(error)))
    if isinstance(exit_code, int):
        # The socket is there, and the kernel says that it is not for this user.
        forbidden = isinstance(error.__cause__, PermissionError) and exit_code == UNAVAILABLE
        return (NOT_ALLOWED if forbidden else exit_code), _prefixed(str(error))
    if isinstance(error, PermissionError):
        return NOT_ALLOWED, _prefixed(_of_system(error))
    if isinstance(error, OSError):
        return IO_ERROR, _prefixed(_of_system(error))
    return SOFTWARE, _unexpected(error)


def _of_daemon(failure: RpcFailure) -> str:
    lines = [failure.message, *_readable(failure.data)]
    if failure.code == -32601:
        lines.append("`automate call rpc.discover` lists what this daemon can do")
    return _prefixed("\n  ".join(lines))


def _readable(data: Any) -> list[str]:
    if data is None:
        return []
    if not isinstance(data, dict):
        return [str(data)]
    told = dict(data)
    lines = []
    if "expected" in told:
        where = told.pop("path", "$")
        lines.append(f"{where}: expected {told.pop('expected')}")
    if "nearest" in told:
        lines.append(f"did you mean {told.pop('nearest')!r}?")
    return lines + [f"{name}: {value}" for name, value in told.items()]


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"


def _unexpected(error: BaseException) -> str:
    if os.environ.get(_DEBUG_VARIABLE):
        return "".join(traceback.format_exception(error)).rstrip()
    return _prefixed(
        f"this should not have happened: {type(error).__name__}: {error}\n"
        f"  with {_DEBUG_VARIABLE}=1 in the environment, the same command shows where"
    )


def _prefixed(text: str) -> str:
    return f"automate: {text}"
