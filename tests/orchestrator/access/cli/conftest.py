"""The command line as a user has it: `main` in this process, or the installed command in one of its own, against
a real daemon that all tests of this folder share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.access.cli import main
from orchestrator.access.client import Client, DaemonUnreachable
from orchestrator.money.store import Store
from tests.orchestrator.money.bookings import api_call, write

COMMAND = [sys.executable, "-c", "import sys; from orchestrator.access.cli import main; sys.exit(main())"]
ROOT = Path(__file__).parents[4]
UP_WITHIN_S = 30.0
BOOKED_BEFORE = 2_300
"""More than two pages of transactions, made before the daemon starts."""


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What it printed, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """What it printed, as one JSON document."""
        return json.loads(self.out)


Automate = Callable[..., Ended]


@pytest.fixture
def automate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Automate:
    """Run a command in this process; its home is `home`."""
    for name in ("AUTOMATE_HOME", "NO_COLOR", "AUTOMATE_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, home: Path | None = None) -> Ended:
        if home is not None:
            monkeypatch.setenv("AUTOMATE_HOME", str(home))
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Ended(status, *capsys.readouterr())

    return run


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "AUTOMATE_LOG_LEVEL")}
    return {**kept, "AUTOMATE_HOME": str(home), "PYTHONPATH": str(ROOT), **more}


def start(home: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environ = environment(home, **options.pop("environ", {}))
    return subprocess.Popen([*COMMAND, *arguments], env=environ, text=True, **{**pipes, **options})


def finish(process: subprocess.Popen[str], timeout_s: float = 40.0) -> Ended:
    """Wait for a command that was started."""
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Ended(process.returncode, out, err)


def free_port_base(count: int) -> int:
    """Return a free port, the gateway's, above which so many are free now."""
    # Each worker of a parallel run looks in a range of its own.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    for base in range(12_000 + 3_500 * (worker % 2) + os.getpid() % 300 * 10, 19_900, count + 1):
        try:
            for port in range(base, base + 1 + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return base
    raise AssertionError("no ports are free")


def configure(home: Path, **fleet: Any) -> Path:
    """Write a fleet's configuration: few instances, free ports, no customers unless they are asked for."""
    fleet.setdefault("port_base", free_port_base(8))
    fleet.setdefault("sandbox_calls_per_minute", 0)
    fleet.setdefault("streams", {"api_services": {"count": 1}})
    file = home / "config" / "fleet_config.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(fleet))
    return file


def wait_until_up(home: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a daemon answers and all its instances are ready."""
    give_up_at = time.monotonic() + UP_WITHIN_S
    with Client(home / "run" / "control.sock") as client:
        while True:
            assert process.poll() is None, f"the daemon ended: {finish(process)} {said(home)}"
            assert time.monotonic() < give_up_at, "the daemon did not come up"
            try:
                instances = client.call("system.status")["instances"]
            except DaemonUnreachable:
                pass
            else:
                if instances["active"] == instances["total"] > 0:
                    return
            time.sleep(0.02)


def said(home: Path) -> str:
    """Return what the shared daemon has written to standard error."""
    file = home / "stderr"
    return file.read_text() if file.exists() else ""


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which a daemon runs: two instances, chaos allowed, books with a past."""
    home = tmp_path_factory.mktemp("home")
    configure(home, chaos=True, streams={"api_services": {"count": 2}})
    (home / "state").mkdir()
    book_before(home / "state" / "ledger.sqlite3", BOOKED_BEFORE)
    with (home / "stderr").open("w") as log:
        process = start(home, "run", stdout=log, stderr=log)
        try:
            wait_until_up(home, process)
            yield home
        finally:
            process.terminate()
            status = process.wait(40)
    assert status == 0, said(home)


def book_before(ledger: Path, count: int) -> None:
    """Make a ledger with so many transactions."""
    store = Store(ledger)
    store.open()
    try:
        write(store, *(api_call(n) for n in range(1, count + 1)))
    finally:
        store.close()
