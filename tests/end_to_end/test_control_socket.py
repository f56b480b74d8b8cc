"""The control socket of a daemon that serves: attacked, used from a shell, and closed to other users."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestrator.access.client import Client
from tests.end_to_end.daemon_process import IBAN, ROOT, DaemonProcess
from tests.end_to_end.http_calls import Reply, request

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST: Final = "api_services-001"
CROWD: Final = 2_000
NOBODY: Final = 65_534
PATIENCE_S: Final = 0.05

CONNECT_AS_NOBODY: Final = f"""
import os, socket, sys
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
try:
    peer.connect("control.sock")
except PermissionError:
    sys.exit("permission denied")
peer.sendall(b'{{"jsonrpc":"2.0","id":1,"method":"system.ping"}}\\n')
print(peer.makefile().read(), end="")
"""


def test_two_thousand_bad_peers_leave_socket_and_ports_served_within_50_ms(shared_daemon: DaemonProcess) -> None:
    key, port = shared_daemon.key(FIRST), shared_daemon.port(FIRST)
    waits_s: dict[str, list[float]] = {"ping": [], "new connection": [], "HTTP": [], "booked call": []}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started_s = time.perf_counter()
        result = work()
        waits_s[name].append(time.perf_counter() - started_s)
        return result

    customer = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(path: str) -> Reply:
        return request(port, path, key=key, connection=customer)

    crowd = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.control_crowd", str(shared_daemon.control_socket), str(CROWD), "400"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        with Client(shared_daemon.control_socket) as regular:
            while crowd.poll() is None:
                assert timed("ping", lambda: regular.call("system.ping"))["pong"] is True
                assert timed("new connection", lambda: shared_daemon.call("system.ping"))["pong"] is True
                assert timed("HTTP", lambda: get("/v1/usage")).status == 200
                assert timed("booked call", lambda: get(IBAN)).status == 200
        made, _ = crowd.communicate()
    finally:
        crowd.kill()
        crowd.wait()
        customer.close()
    assert made == b"%d\n" % CROWD
    for name, waits in waits_s.items():
        waits.sort()
        half_s, most_s = waits[len(waits) // 2], waits[len(waits) * 95 // 100]
        print(f"{name}: {len(waits)}, half within {half_s * 1e3:.1f} ms, 95 of 100 within {most_s * 1e3:.1f} ms")
        assert len(waits) > 20
        # A booking waits for the disk, which this test has not for itself.
        assert (half_s if name == "booked call" else most_s) < PATIENCE_S, name
    assert shared_daemon.states()[FIRST] == "ready"


def test_it_can_be_asked_from_a_shell(shared_daemon: DaemonProcess) -> None:
    if shutil.which("socat") is None:
        pytest.skip("socat is not installed")
    asked = subprocess.run(
        'echo \'{"jsonrpc":"2.0","id":1,"method":"system.ping"}\' '
        "| socat - UNIX-CONNECT:$AUTOMATE_HOME/run/control.sock",
        shell=True,
        env={**os.environ, "AUTOMATE_HOME": str(shared_daemon.home)},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    answer = json.loads(asked.stdout)
    assert (answer["jsonrpc"], answer["id"], answer["result"]["pong"]) == ("2.0", 1, True)
    assert asked.stdout.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_another_user_is_refused(shared_daemon: DaemonProcess) -> None:
    def as_nobody() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", CONNECT_AS_NOBODY, str(shared_daemon.control_socket.parent)],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    assert stat_mode(shared_daemon.control_socket) == 0o660
    assert "permission denied" in as_nobody().stderr
    # Whoever opens the file to all has still let nobody in: the kernel says who the peer is.
    shared_daemon.control_socket.parent.chmod(0o755)
    shared_daemon.control_socket.chmod(0o666)
    try:
        (line,) = as_nobody().stdout.splitlines()
    finally:
        shared_daemon.control_socket.chmod(0o660)
        shared_daemon.control_socket.parent.chmod(0o750)
    answer = json.loads(line)
    assert (answer["error"]["code"], answer["id"]) == (-32003, None)
    assert shared_daemon.call("system.ping")["pong"] is True
    assert shared_daemon.await_log("control.not_allowed")["origin"].endswith(f" of uid {NOBODY}")


def stat_mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_every_method_of_the_design_is_described(shared_daemon: DaemonProcess) -> None:
    described = {method["name"] for method in shared_daemon.call("rpc.discover")["methods"]}
    assert described >= {
        *("system.ping", "system.status", "system.tree", "system.shutdown", "system.reload"),
        *("fleet.list", "fleet.get", "fleet.deploy", "fleet.scale"),
        *("fleet.stop", "fleet.start", "fleet.restart", "fleet.pause", "fleet.resume"),
        *("keys.create", "keys.list", "keys.revoke", "rollout.status"),
        *("ledger.totals", "ledger.entries", "ledger.verify", "config.get", "config.set"),
        *("events.subscribe", "logs.tail", "chaos.crash", "chaos.freeze", "rpc.discover"),
    }
