"""Canaries on a real daemon that is killed in the middle: what is worse goes back by itself, what has no data waits."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.access.client import RpcFailure
from tests.end_to_end.conftest import MakeDaemon
from tests.end_to_end.daemon_process import ROOT, DaemonProcess
from tests.end_to_end.guests import Guests

PACKAGE = ROOT / "tests" / "plugins" / "juice_bar_package"
INSTANCES = 4
CHANGES: dict[str, dict[str, Any]] = {
    "juice_good": {"sign": "Orange"},
    "juice_slow": {"squeeze_s": 0.4},
    "juice_jammed": {"jams_every": 2},
    "juice_unproven": {"receipts": False},
    "juice_silent": {"sign": "Lemon"},
}
WORSE = {
    "juice_slow": "it is slower",
    "juice_jammed": "it fails more often",
    "juice_unproven": "it has its evidence rejected",
}


def command_with(place: Path) -> tuple[str, ...]:
    """Return the command of a daemon that finds the package, without installing it."""
    told = place / "juice_bar-1.0.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: juice-bar\nVersion: 1.0.0\n")
    entries = (PACKAGE / "pyproject.toml").read_text().partition('[project.entry-points."automate.streams"]\n')[2]
    (told / "entry_points.txt").write_text("[automate.streams]\n" + entries.replace('"', ""))
    paths = [str(place), str(PACKAGE)]
    program = f"import sys; sys.path[:0] = {paths!r}; from orchestrator.access.cli import main; sys.exit(main())"
    return (sys.executable, "-c", program, "run", "--home")


def settings(daemon: DaemonProcess, stream: str, name: str) -> list[Any]:
    return [
        daemon.call("fleet.get", {"id": f"{stream}-{number:03d}"})["settings"][name]
        for number in range(1, INSTANCES + 1)
    ]


def until(daemon: DaemonProcess, rollout: str, state: str, timeout_s: float = 30.0) -> Any:
    deadline_s = time.monotonic() + timeout_s
    while (told := daemon.call("rollout.status", {"rollout": rollout}))["state"] != state:
        assert time.monotonic() < deadline_s, told
        assert told["ended_at"] is None, told
        time.sleep(0.05)
    return told


def test_canaries_are_judged_though_the_daemon_is_killed_in_the_middle(tmp_path: Path, make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        instances=len(CHANGES) * INSTANCES,
        command=command_with(tmp_path),
        streams={stream: {"count": INSTANCES} for stream in CHANGES},
        rollouts={"canary_count": 2, "window_s": 1.5, "interval_s": 0.2, "min_samples": 20, "patience_s": 60},
    ).start()
    before = {stream: settings(daemon, stream, next(iter(change))) for stream, change in CHANGES.items()}
    with daemon.watch("rollout.validating") as watch:
        rollouts = {
            stream: daemon.call("fleet.configure", {"stream": stream, "settings": change})
            for stream, change in CHANGES.items()
        }
        for _ in CHANGES:
            watch.until("rollout.validating", stage=1, stages=2, baseline=2)
    for stream, change in CHANGES.items():
        name, new = next(iter(change.items()))
        assert settings(daemon, stream, name) == [new, new, *before[stream][2:]]
    daemon.kill9()

    daemon.start()
    open_rollouts = {each["id"] for each in daemon.call("rollout.list")["items"] if each["ended_at"] is None}
    assert set(rollouts.values()) <= open_rollouts
    # Everybody has guests, but for the canaries of one stream.
    rows = daemon.call("fleet.list", {"limit": 1000})["items"]
    ports = [row["port"] for row in rows if row["id"] not in ("juice_silent-001", "juice_silent-002")]
    with Guests(ports, "/juice"):
        for stream, words in WORSE.items():
            told = until(daemon, rollouts[stream], "rolled_back")
            assert words in told["reason"], told
            assert told["figures"]
            name = next(iter(CHANGES[stream]))
            assert settings(daemon, stream, name) == before[stream]
        until(daemon, rollouts["juice_good"], "completed")
        assert settings(daemon, "juice_good", "sign") == ["Orange"] * INSTANCES
        told = until(daemon, rollouts["juice_silent"], "paused")
        assert told["reason"].startswith("no data: 0 requests")
    assert settings(daemon, "juice_silent", "sign") == ["Lemon", "Lemon", *before["juice_silent"][2:]]

    # It waits for a person, over another restart, too.
    daemon.restart()
    assert daemon.call("rollout.status", {"rollout": rollouts["juice_silent"]})["state"] == "paused"
    daemon.call("rollout.promote", {"rollout": rollouts["juice_silent"]})
    until(daemon, rollouts["juice_silent"], "completed")
    assert settings(daemon, "juice_silent", "sign") == ["Lemon"] * INSTANCES
    with pytest.raises(RpcFailure, match="completed already"):
        daemon.call("rollout.abort", {"rollout": rollouts["juice_silent"]})
    ids = [each["id"] for each in daemon.call("rollout.list", {"limit": 100})["items"]]
    assert len(set(ids)) == len(ids)
    assert daemon.call("ledger.verify")["ok"]
    assert not daemon.logged("rollout.failure")
