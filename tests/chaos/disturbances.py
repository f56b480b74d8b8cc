"""What is done to a daemon: a method for each kind, each over within some seconds."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure
from tests.chaos.clock import MovableClock
from tests.end_to_end.daemon_process import DaemonProcess

ROGUE: Final = "rogue"
_REFUSED: Final = (RpcFailure, CallTimedOut, DaemonUnreachable)


class Disturbances:
    """The kinds, by name; see `kinds`.

    Args:
        daemon: Whom they are done to.
        victims: The instances that they are done to.
        isolated: Those of them that run in processes of their own.
        clock: The daemon's wall clock; None where it cannot be moved.
        disk: The small file system that the home is on; None where it is on a large one.
        chance: Where chance comes from.
    """

    def __init__(
        self,
        daemon: DaemonProcess,
        victims: tuple[str, ...],
        isolated: tuple[str, ...],
        clock: MovableClock | None,
        disk: Path | None,
        chance: random.Random,
    ) -> None:
        self._daemon = daemon
        self._victims = victims
        self._isolated = isolated
        self._clock = clock
        self._disk = disk
        self._chance = chance
        self._ports = {row["id"]: row["port"] for row in daemon.call("fleet.list", {"limit": 1000})["items"]}

    def kinds(self) -> Mapping[str, Callable[[], None]]:
        """Return what can be done here."""
        found: dict[str, Callable[[], None]] = {
            "crash": self.crash,
            "freeze": self.freeze,
            "slow peer": self.slow_peer,
            "slow asker": self.slow_asker,
            "closed port": self.closed_port,
        }
        if self._isolated:
            found |= {"killed process": self.killed_process, "stopped process": self.stopped_process, "leak": self.leak}
        if self._clock is not None:
            found["clock step"] = self.clock_step
        if self._disk is not None:
            found["full disk"] = self.full_disk
        return found

    def crash(self) -> None:
        """An instance fails."""
        self._ask("chaos.crash", id=self._victim())

    def freeze(self) -> None:
        """An instance answers nothing any more."""
        self._ask("chaos.freeze", id=self._victim())

    def slow_peer(self) -> None:
        """Somebody sends a request byte by byte, or asks much and reads nothing."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._ports[self._victim()]), 1.0) as peer:
            peer.settimeout(0.2)
            if self._chance.random() < 0.5:
                for byte in b"GET /v1/iban?value=DE89370400440532013000 HTTP/1.1\r\nHost":
                    peer.send(bytes((byte,)))
                    time.sleep(0.02)
            else:
                for _ in range(2000):
                    peer.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 50)

    def slow_asker(self) -> None:
        """Somebody asks the control socket for everything, and reads nothing."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asker:
            asker.settimeout(0.2)
            asker.connect(str(self._daemon.control_socket))
            for number in range(500):
                asker.send(b'{"jsonrpc":"2.0","id":%d,"method":"rpc.discover"}\n' % number)

    def closed_port(self) -> None:
        """While an instance is down, another program takes its port."""
        victim = self._victim()
        if not self._ask("fleet.stop", id=victim):
            return
        try:
            with suppress(OSError), socket.create_server(("127.0.0.1", self._ports[victim])):
                self._ask("fleet.start", id=victim)  # it cannot, and is tried again
                time.sleep(self._chance.uniform(0.2, 1.0))
        finally:
            while not self._ask("fleet.start", id=victim) and self._daemon.state(victim) == "stopped":
                time.sleep(0.1)

    def killed_process(self) -> None:
        """The process of an instance is gone."""
        self._signal(signal.SIGKILL)

    def stopped_process(self) -> None:
        """The process of an instance stands still."""
        self._signal(signal.SIGSTOP)

    def leak(self) -> None:
        """An instance takes all memory that it can get."""
        if self._ask("fleet.scale", stream=ROGUE, to=1):
            time.sleep(self._chance.uniform(1.0, 3.0))
        while not self._ask("fleet.scale", stream=ROGUE, to=0):
            time.sleep(0.1)

    def clock_step(self) -> None:
        """The wall clock is set, and later set right."""
        assert self._clock is not None
        self._clock.shift(self._chance.choice((-86_400, -3_600, -60, 60, 3_600, 86_400)))
        time.sleep(self._chance.uniform(0.5, 2.0))
        self._clock.shift(0)

    def full_disk(self) -> None:
        """The disk has no room, and later has."""
        assert self._disk is not None
        ballast = self._disk / "ballast"
        try:
            for block in (1 << 20, 4096, 64):
                with suppress(OSError), ballast.open("ab", buffering=0) as file:
                    while True:
                        file.write(bytes(block))
            time.sleep(self._chance.uniform(0.5, 1.5))
        finally:
            ballast.unlink(missing_ok=True)

    def _victim(self) -> str:
        return self._chance.choice(self._victims)

    def _ask(self, method: str, **params: Any) -> bool:
        """Call a method; a refusal is one of the things that may come of it."""
        try:
            self._daemon.call(method, params)
        except _REFUSED:
            return False
        return True

    def _signal(self, number: signal.Signals) -> None:
        try:
            details = self._daemon.call("fleet.get", {"id": self._chance.choice(self._isolated)})["details"]
        except _REFUSED:
            return
        pid = details.get("process", {}).get("pid")
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
