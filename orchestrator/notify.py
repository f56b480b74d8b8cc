"""Telling systemd how the daemon is (sd_notify(3)), without libsystemd and without ever waiting."""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Protocol, Self

import structlog

ASK_FOR_TIME_S: Final = 30.0
"""Between two requests for more time; less than the unit's `TimeoutStartSec`."""

_MAX_UNSENT: Final = 16
_MAX_STATUS_CHARS: Final = 1024

_log = structlog.get_logger(__name__)


class Notifier:
    """Sends datagrams to the service manager; where there is none, every method does nothing.

    Methods return whether the manager has the message. One that it has no room for now is kept and goes
    out before the next; keep-alives are not kept, for a late one says nothing. No method raises or waits.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = address
        self._watchdog_s = watchdog_s
        self._socket: socket.socket | None = None
        self._unsent: deque[bytes] = deque(maxlen=_MAX_UNSENT)
        self._failing = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Notifier:
        """Return the notifier for `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` as systemd sets them.

        An address that is neither a path nor abstract (`@…`), and a watchdog that is meant for another
        process, count as none.
        """
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET", "")
        if len(address) < 2 or address[0] not in "/@":
            return cls()
        return cls(address, _watchdog_s(environ))

    @property
    def enabled(self) -> bool:
        """Whether there is a service manager to tell."""
        return self._address is not None

    @property
    def watchdog_s(self) -> float | None:
        """Seconds without `watchdog` after which systemd takes the daemon for dead; None without watchdog.

        Feed it at least twice as often.
        """
        return self._watchdog_s

    def ready(self, status: str = "") -> bool:
        """Say that the daemon has started, or that it has finished reloading."""
        return self._send({"READY": "1", "STATUS": status})

    def status(self, status: str) -> bool:
        """Say in a line for people (`systemctl status`) what the daemon is doing."""
        return self._send({"STATUS": status})

    def reloading(self, status: str = "") -> bool:
        """Say that the configuration is being read again; `ready` says that it is done."""
        # Type=notify-reload compares this with the moment at which systemd asked.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._send({"RELOADING": "1", "MONOTONIC_USEC": str(now_us), "STATUS": status})

    def stopping(self, status: str = "") -> bool:
        """Say that the daemon is on its way out."""
        return self._send({"STOPPING": "1", "STATUS": status})

    def extend_timeout(self, seconds: float) -> bool:
        """Ask for this much time from now, before systemd loses patience with a start, reload or stop."""
        return self._send({"EXTEND_TIMEOUT_USEC": str(int(seconds * 1_000_000))})

    def watchdog(self) -> bool:
        """Say that the daemon is alive."""
        return self._send({"WATCHDOG": "1"}, keep=False)

    def close(self) -> None:
        """Close the socket; a later message opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, fields: Mapping[str, str], *, keep: bool = True) -> bool:
        if self._address is None:
            return False
        # A line feed in a status would be the start of another field.
        lines = (f"{name}={' '.join(text.split())[:_MAX_STATUS_CHARS]}" for name, text in fields.items() if text)
        message = "\n".join(lines).encode("utf-8", "replace")
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            while self._unsent:
                self._socket.sendto(self._unsent[0], self._path())
                self._unsent.popleft()
            self._socket.sendto(message, self._path())
        except OSError as failure:
            if keep:
                self._unsent.append(message)
            if not self._failing:
                self._failing = True
                _log.warning("systemd.unreachable", address=self._address, reason=str(failure))
            return False
        self._failing = False
        return True

    def _path(self) -> str:
        address = self._address or ""
        return f"\0{address[1:]}" if address.startswith("@") else address


class Cancellable(Protocol):
    """A timer, as far as it matters here."""

    def cancel(self) -> object:
        """Forget it."""
        ...


@contextmanager
def asking_for_time(
    notifier: Notifier, call_later: Callable[[float, Callable[[], None]], Cancellable], *, longest_s: float = 3600.0
) -> Iterator[None]:
    """Keep systemd waiting while a start goes on: a ledger of years may have to take a new form first.

    Args:
        notifier: The way to systemd.
        call_later: The loop's.
        longest_s: After which time no more is asked for: a start may also hang.
    """
    asked = 0
    timer: Cancellable

    def ask() -> None:
        nonlocal asked, timer
        asked += 1
        notifier.extend_timeout(2 * ASK_FOR_TIME_S)
        if (asked + 1) * ASK_FOR_TIME_S <= longest_s:
            timer = call_later(ASK_FOR_TIME_S, ask)

    timer = call_later(ASK_FOR_TIME_S, ask)
    try:
        yield
    finally:
        timer.cancel()


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    period_us = environ.get("WATCHDOG_USEC", "")
    pid = environ.get("WATCHDOG_PID", "")
    if not period_us.isdecimal() or int(period_us) == 0:
        return None
    if pid and pid != str(os.getpid()):
        return None
    return int(period_us) / 1_000_000
