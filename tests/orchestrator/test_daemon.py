"""What a changed configuration does to a daemon that runs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemon_process import DaemonProcess


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(tmp_path / "home", instances=1)
    try:
        yield daemon.start()
    finally:
        daemon.end()


def test_counts_are_followed_at_once_and_what_needs_a_restart_is_named(daemon: DaemonProcess) -> None:
    file = daemon.home / "config" / "fleet_config.json"
    with daemon.watch("config.*", "rollout.*") as watch:
        daemon.call("config.set", {"section": "fleet", "values": {"streams": {"api_services": {"count": 2}}}})
        assert watch.until("config.changed", section="fleet")["needs_restart"] == []
        watch.until("rollout.completed", total=1, done=1)
        assert len(daemon.states()) == 2

        document = json.loads(file.read_text())
        document["streams"]["api_services"]["count"] = 1
        document["host"] = "127.0.0.2"
        file.write_text(json.dumps(document))
        daemon.signal(signal.SIGHUP)
        assert watch.until("config.reloaded")["needs_restart"] == ["fleet.host"]
        watch.until("rollout.completed", total=1, done=1)
        assert len(daemon.states()) == 1

        # A command changes the count too; that is no reason to do it twice.
        rollout = daemon.call("fleet.scale", {"stream": "api_services", "to": 2})
        assert watch.until("config.changed", section="fleet")["needs_restart"] == ["fleet.host"]
        watch.until("rollout.completed", rollout=rollout)
        daemon.call("config.set", {"section": "fleet", "values": {"host": "127.0.0.1"}})
        assert watch.until("config.changed")["needs_restart"] == []
        daemon.call("fleet.restart", {"id": "api_services-001"})
    daemon.stop()  # the log is written a little later than things happen
    assert len(daemon.logged("rollout.started")) == 4


def test_many_changes_at_once_leave_in_force_what_is_stored(daemon: DaemonProcess) -> None:
    values = [{"max_retries": number} for number in range(20)]
    lines = b"".join(
        json.dumps(
            {"jsonrpc": "2.0", "id": n, "method": "config.set", "params": {"section": "recovery", "values": value}}
        ).encode()
        + b"\n"
        for n, value in enumerate(values)
    )
    with daemon.watch("never") as one, daemon.watch("never") as other:
        for connection in (one, other):
            connection._file.write(lines)
            connection._file.flush()
        for connection in (one, other):
            for _ in values:
                assert "result" in json.loads(connection._file.readline())
    stored = json.loads((daemon.home / "config" / "recovery_config.json").read_text())
    assert daemon.call("config.get", {"section": "recovery"})["max_retries"] == stored["max_retries"]
    daemon.call("system.reload")
    assert daemon.call("config.get", {"section": "recovery"})["max_retries"] == stored["max_retries"]
