"""Asks the control socket again and again how it is, and remembers how long it took."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

from orchestrator.access.client import CallTimedOut, Client, DaemonUnreachable, RpcFailure

PERIOD_S: Final = 0.05


class Witness(threading.Thread):
    """One connection, one question every twentieth of a second.

    Attributes:
        took_s: How long each answer took, by when it was asked for, seconds of the monotonic clock.
        failures: Why there was no answer.
    """

    def __init__(self, control_socket: Path) -> None:
        super().__init__(name="witness")
        self.took_s: list[tuple[float, float]] = []
        self.failures: list[str] = []
        self._path = control_socket
        self._ending = threading.Event()

    def run(self) -> None:
        """Ask until told to end."""
        with Client(self._path, 10.0) as client:
            while not self._ending.wait(PERIOD_S):
                asked_s = time.monotonic()
                try:
                    client.call("system.ping")
                except (CallTimedOut, DaemonUnreachable, RpcFailure) as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                else:
                    self.took_s.append((asked_s, time.monotonic() - asked_s))

    def end(self) -> None:
        """Ask no more."""
        self._ending.set()
        self.join()

    def longest_s(self) -> float:
        """Return the longest that an answer took."""
        return max((took_s for _, took_s in self.took_s), default=float("inf"))
