"""Failures that cross the channel: what was raised on one side is raised on the other, as far as it is known there."""

from __future__ import annotations

from typing import Final

from actors import ActorError, AskTimeout, Refusal
from orchestrator.fleet.isolation.frames import Trouble
from streams.booking import BookingRejected, KeyConflict, LedgerUnavailable

MAX_TEXT: Final = 2000
"""Characters of a failure's text that cross."""


class RefusedElsewhere(Refusal):
    """A no whose type is known on the other side only.

    Attributes:
        kind: The name of that type.
        rpc_code: The code that a person's question is answered with.
    """

    rpc_code = -32002

    def __init__(self, kind: str, text: str, rpc_code: int | None) -> None:
        super().__init__(text)
        self.kind = kind
        if rpc_code is not None:
            self.rpc_code = rpc_code


class FailedElsewhere(ActorError):
    """A failure on the other side of the channel; the text names its type."""


def trouble_of(error: BaseException) -> Trouble:
    """Return what of a failure crosses the channel."""
    code = getattr(error, "rpc_code", None)
    return Trouble(
        kind=type(error).__name__[:100],
        text=str(error)[:MAX_TEXT],
        refusal=isinstance(error, Refusal),
        rpc_code=code if isinstance(code, int) else None,
        retry_after_s=error.retry_after_s if isinstance(error, LedgerUnavailable) else None,
        key=error.key if isinstance(error, KeyConflict) else None,
    )


def failure_of(trouble: Trouble) -> Exception:
    """Return what is raised on this side."""
    text = trouble.text
    if trouble.kind == "KeyConflict" and trouble.key is not None:
        return KeyConflict(trouble.key)
    if trouble.kind == "BookingRejected":
        return BookingRejected(text)
    if trouble.kind == "LedgerUnavailable":
        return _as(LedgerUnavailable(text, trouble.retry_after_s or 5.0), text)
    if trouble.kind == "AskTimeout":
        return _as(AskTimeout("", None, 0.0), text)
    if trouble.refusal:
        return RefusedElsewhere(trouble.kind, text, trouble.rpc_code)
    return FailedElsewhere(f"{trouble.kind}: {text}")


def _as(error: Exception, text: str) -> Exception:
    """Give a failure the text that it had on the other side: its constructor makes one of its own."""
    error.args = (text,)
    return error
