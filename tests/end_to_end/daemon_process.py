"""A daemon in a process of its own, with a home of its own, reached as people reach it: socket, ports, signals."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from orchestrator.access.client import Client, DaemonUnreachable
from orchestrator.access.socket_file import address_of
from tests.end_to_end.http_calls import Reply, request

ROOT: Final = Path(__file__).resolve().parents[2]
COMMAND: Final = (str(Path(sys.executable).with_name("automate")), "run", "--home")
IBAN: Final = "/v1/iban?value=DE89370400440532013000"

_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below the ports that Linux gives to outgoing connections, which come and go."""

_POLL_S: Final = 0.01
_READY_S: Final = 20.0


class DaemonEnded(Exception):
    """The daemon ended where it should run."""


class Watch:
    """A connection that has subscribed to events, and waits for them."""

    def __init__(self, control_socket: Path, topics: tuple[str, ...]) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address_of(control_socket) as address:
            self._socket.connect(address)
        self._file = self._socket.makefile("rwb")
        self.ask("events.subscribe", {"topics": topics})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, method: str, params: object) -> Any:
        """Call a method on this connection, before anything is notified of."""
        self._file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        self._file.flush()
        self._socket.settimeout(10.0)
        answer = json.loads(self._file.readline())
        assert "result" in answer, answer
        return answer["result"]

    def next(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """Return the parameters of the next notification."""
        self._socket.settimeout(timeout_s)
        params: dict[str, Any] = json.loads(self._file.readline())["params"]
        return params

    def until(self, event: str, timeout_s: float = 10.0, **fields: object) -> dict[str, Any]:
        """Return the next event of this name and with these fields; those before it are passed over."""
        deadline_s = time.monotonic() + timeout_s
        seen: list[str] = []
        while (left_s := deadline_s - time.monotonic()) > 0:
            try:
                found = self.next(left_s)
            except TimeoutError:
                break
            if found["event"] == event and fields.items() <= found.items():
                return found
            seen.append(f"{found['event']} {found.get('instance', '')}")
        raise AssertionError(f"no {event} {fields} within {timeout_s:g} s; instead: {seen}")


class DaemonProcess:
    """A daemon that can be started, asked, killed and stopped.

    Attributes:
        home: Its home.
        port_base: Its fleet's.
    """

    def __init__(
        self,
        home: Path,
        *,
        instances: int = 2,
        recovery: Mapping[str, Any] | None = None,
        command: tuple[str, ...] = COMMAND,
        **fleet: Any,
    ) -> None:
        self.home = home
        self.port_base = free_port_base(instances + 20)
        self.control_socket = home / "run" / "control.sock"
        self.log_file = home / "log" / "automate.jsonl"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = command
        self._output_file = home.parent / f"{home.name}.output"
        (home / "config").mkdir(parents=True, mode=0o700)
        settings = {
            "port_base": self.port_base,
            "chaos": True,
            "sandbox_calls_per_minute": 0,
            "streams": {"api_services": {"count": instances}},
        }
        self.configure("fleet", settings | fleet)
        if recovery is not None:
            self.configure("recovery", recovery)

    def configure(self, section: str, document: object) -> Path:
        """Write a configuration file."""
        file = self.home / "config" / f"{section}_config.json"
        file.write_text(json.dumps(document, indent=2) + "\n")
        return file

    # -- the process ----------------------------------------------------------------------------------------

    def spawn(self, **environ: str) -> subprocess.Popen[bytes]:
        """Start it, and wait for nothing."""
        assert self.process is None or self.process.poll() is not None, "it is running"
        with self._output_file.open("ab") as output:
            self.process = subprocess.Popen(
                [*self._command, str(self.home)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ},
            )
        return self.process

    def start(self, *, ready: bool = True) -> Self:
        """Start it, and wait until its control socket answers and, unless told otherwise, its fleet is ready.

        Raises:
            DaemonEnded: It ended instead.
        """
        self.spawn()
        self.await_control()
        if ready:
            self.await_fleet()
        return self

    def await_control(self, timeout_s: float = _READY_S) -> None:
        """Wait until the control socket answers."""
        assert self.process is not None
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            if self.process.poll() is not None:
                raise DaemonEnded(f"exit status {self.process.returncode}:\n{self.output()}")
            with contextlib.suppress(DaemonUnreachable), Client(self.control_socket, 5.0) as client:
                client.call("system.ping")
                return
            time.sleep(_POLL_S)
        raise AssertionError(f"no answer from the control socket within {timeout_s:g} s")

    def await_fleet(self, timeout_s: float = _READY_S) -> None:
        """Wait until all instances that should run do."""
        with self.watch("rollout.*") as watch, Client(self.control_socket, 5.0) as client:
            while client.call("system.status")["instances"]["by_state"].get("starting"):
                watch.next(timeout_s)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.process is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 15.0) -> int:
        """Wait until it has ended, and return its exit status."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def kill9(self) -> None:
        """Kill it, as a power cut would."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def stop(self, timeout_s: float = 15.0) -> None:
        """Have it stop in order."""
        self.signal(signal.SIGTERM)
        assert self.wait(timeout_s) == 0, self.output()

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def end(self) -> None:
        """End it, whatever it does, and show what it said; pytest prints that where the test failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        print(f"--- output of the daemon in {self.home}\n{self.output()[-8_000:]}")

    def output(self) -> str:
        """Return what it wrote on its standard streams."""
        try:
            return self._output_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # -- asking it ------------------------------------------------------------------------------------------

    def call(self, method: str, params: object = None, timeout_s: float = 30.0) -> Any:
        """Call a method of the control socket, on a connection of its own."""
        with Client(self.control_socket, timeout_s) as client:
            return client.call(method, params)

    def watch(self, *topics: str) -> Watch:
        """Subscribe to events."""
        return Watch(self.control_socket, topics)

    def state(self, instance: str) -> str:
        """Return the state of an instance."""
        state: str = self.call("fleet.get", {"id": instance})["state"]
        return state

    def states(self) -> dict[str, str]:
        """Return the state of every instance."""
        return {row["id"]: row["state"] for row in self.call("fleet.list", {"limit": 1000})["items"]}

    def port(self, instance: str) -> int:
        """Return the port of an instance."""
        port: int = self.call("fleet.get", {"id": instance})["port"]
        return port

    def key(self, instance: str, **terms: Any) -> str:
        """Make a key of an instance."""
        key: str = self.call("keys.create", {"instance": instance, **terms})["key"]
        return key

    def buy(self, instance: str, key: str) -> Reply:
        """Make one paid call."""
        return request(self.port(instance), IBAN, key=key)

    def entries(self, **which: Any) -> Iterator[dict[str, Any]]:
        """Yield all transactions of the ledger, oldest first."""
        cursor = None
        with Client(self.control_socket) as client:
            while True:
                page = client.call("ledger.entries", {"limit": 1000, "cursor": cursor, **which})
                yield from page["items"]
                cursor = page["next_cursor"]
                if cursor is None:
                    return

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of the log."""
        whole, _, _ = self.log_file.read_bytes().rpartition(b"\n")  # a line may be being written
        return [json.loads(line) for line in whole.splitlines()]

    def logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the lines of the log that tell of an event."""
        return [line for line in self.log() if line["event"] == event and fields.items() <= line.items()]

    def await_log(self, event: str, timeout_s: float = 10.0) -> dict[str, Any]:
        """Wait until the log, which is written a little later than things happen, tells of an event."""
        deadline_s = time.monotonic() + timeout_s
        while not (lines := self.logged(event)):
            assert time.monotonic() < deadline_s, f"no {event} in the log within {timeout_s:g} s"
            time.sleep(_POLL_S)
        return lines[0]


def free_port_base(count: int) -> int:
    """Return a port above which so many are free now."""
    while True:
        base = random.randrange(_FIRST_PORT, _LAST_PORT - count)
        if all(_is_free(port) for port in range(base + 1, base + count + 1)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
