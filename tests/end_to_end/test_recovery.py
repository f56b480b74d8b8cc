"""Instances that crash, freeze or find their port taken, and the others, who never notice."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestrator.access.client import RpcFailure
from tests.end_to_end.bystanders import Bystanders
from tests.end_to_end.http_calls import request
from tests.end_to_end.unfinished import request_in_progress

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon
    from tests.end_to_end.daemon_process import DaemonProcess, Watch

FIRST: Final = "api_services-001"
SECOND: Final = "api_services-002"
THIRD: Final = "api_services-003"
FOURTH: Final = "api_services-004"

WAITS: Final = {"failover_enabled": False}
"""What is tripped waits out its cool-down; how a standby takes over instead is in `test_failover.py`."""


def crash(daemon: DaemonProcess, instance: str) -> None:
    daemon.call("chaos.crash", {"id": instance})


def trip(daemon: DaemonProcess, watch: Watch, instance: str, restarts: int) -> dict[str, Any]:
    """Crash an instance until its budget is exhausted, and return the event that says so."""
    for restart in range(1, restarts + 1):
        crash(daemon, instance)
        assert watch.until("instance.restarted", instance=instance)["restarts"] == restart
    crash(daemon, instance)
    return watch.until("instance.failed", instance=instance)


def test_one_crashes_until_its_budget_trips_and_one_freezes_and_the_others_never_notice(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(instances=4, recovery={**WAITS, "max_retries": 3, "retry_delay": 2}).start()
    port, key = daemon.port(FIRST), daemon.key(FIRST)
    with (
        daemon.watch("instance.*") as watch,
        daemon.watch("instance.crashed", "instance.ready") as frozen,
        Bystanders(daemon, THIRD, FOURTH) as others,
    ):
        daemon.call("chaos.freeze", {"id": SECOND})

        # Three restarts inside the window succeed; the fourth failure trips the budget.
        failed = trip(daemon, watch, FIRST, restarts=3)
        assert daemon.state(FIRST) == "failed"
        assert len(failed["history"]) == 4
        assert all("chaos.crash was called" in failure for failure in failed["history"])
        assert (failed["stream"], failed["outcome"]) == ("api_services", "delay")
        with pytest.raises(ConnectionRefusedError):
            daemon.buy(FIRST, key)

        # After `retry_delay` it comes back by itself, with a fresh budget and on the same port.
        watch.until("instance.ready", instance=FIRST)
        view = daemon.call("fleet.get", {"id": FIRST})
        assert (view["state"], view["port"], view["restarts_left"]) == ("ready", port, 3)
        assert "chaos.crash was called" in str(view["last_failure"])
        assert daemon.buy(FIRST, key).status == 200

        # The frozen one was found by the limit of its handlers, and restarted.
        assert frozen.until("instance.crashed", instance=SECOND)["error"] == "HandlerLimitExceeded"
        frozen.until("instance.ready", instance=SECOND)
        assert daemon.buy(SECOND, daemon.key(SECOND)).status == 200
    others.assert_served()
    assert daemon.states() == dict.fromkeys((FIRST, SECOND, THIRD, FOURTH), "ready")

    line = daemon.await_log("instance.failed")
    assert (line["instance"], line["level"], line["history"]) == (FIRST, "error", failed["history"])
    crashes = daemon.logged("instance.crashed")
    assert sorted(crashed["instance"] for crashed in crashes) == [FIRST] * 4 + [SECOND]
    assert crashes[0]["error"] == "CrashedOnRequest"


def test_a_crash_under_load_loses_no_booking_and_keeps_the_quota(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, recovery={"max_retries": 100}).start()
    port, key = daemon.port(FIRST), daemon.key(FIRST, quota=120, rate=10_000)
    receipts: set[str] = set()
    crashes = 0
    with daemon.watch("instance.*") as watch:
        while True:
            try:
                reply = request(port, "/v1/iban?value=x", key=key)
            except OSError:
                watch.until("instance.ready", instance=FIRST)
                continue
            if reply.status == 429:
                break
            receipts.add(reply.headers["x-receipt"])
            if len(receipts) % 60 == 30:
                crash(daemon, FIRST)
                crashes += 1
    assert crashes == 2
    assert {entry["id"] for entry in daemon.entries()} == receipts
    assert len(receipts) == 120


def test_a_manual_stop_beats_a_pending_restart_and_survives_the_daemon(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2, recovery={**WAITS, "max_retries": 0, "retry_delay": 0.5}).start()
    with daemon.watch("instance.*") as watch:
        trip(daemon, watch, FIRST, restarts=0)
        assert daemon.call("fleet.stop", {"id": FIRST})["state"] == "stopped"
        # The other one is tripped after it, so when that is back the first's time has long come.
        trip(daemon, watch, SECOND, restarts=0)
        watch.until("instance.ready", instance=SECOND)
    assert daemon.states() == {FIRST: "stopped", SECOND: "ready"}

    daemon.restart()
    assert daemon.states() == {FIRST: "stopped", SECOND: "ready"}
    assert daemon.call("fleet.start", {"id": FIRST})["state"] == "ready"
    daemon.kill9()
    daemon.start()
    assert daemon.states() == {FIRST: "ready", SECOND: "ready"}


def test_a_stop_right_after_a_crash_holds(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2, recovery={"max_retries": 100}).start()
    with daemon.watch("instance.*") as watch:
        for _ in range(2):
            crash(daemon, FIRST)
            assert daemon.call("fleet.stop", {"id": FIRST})["state"] == "stopped"
            crash(daemon, SECOND)
            watch.until("instance.ready", instance=SECOND)
            assert daemon.state(FIRST) == "stopped"
            assert daemon.call("fleet.start", {"id": FIRST})["state"] == "ready"


def test_a_paused_instance_answers_503_and_stays_paused(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1).start()
    key = daemon.key(FIRST)
    assert daemon.call("fleet.pause", {"id": FIRST})["state"] == "paused"

    def assert_paused() -> None:
        refused = daemon.buy(FIRST, key)
        assert (refused.status, int(refused.headers["retry-after"]) >= 1) == (503, True)
        assert request(daemon.port(FIRST), "/healthz").status == 503
        assert daemon.state(FIRST) == "paused"

    assert_paused()
    daemon.restart()
    assert_paused()
    with daemon.watch("instance.*") as watch:
        crash(daemon, FIRST)
        watch.until("instance.ready", instance=FIRST)
    assert_paused()
    assert list(daemon.entries()) == []
    assert daemon.call("fleet.resume", {"id": FIRST})["state"] == "ready"
    assert daemon.buy(FIRST, key).status == 200


def test_a_taken_port_costs_its_instance_its_budget_until_it_is_free(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2, recovery={**WAITS, "max_retries": 2, "retry_delay": 1})
    with socket.create_server(("127.0.0.1", daemon.port_base + 1)):
        daemon.start(ready=False)
        with daemon.watch("instance.*") as watch:
            failed = watch.until("instance.failed", instance=FIRST)
        assert len(failed["history"]) == 3
        assert "another program listens there" in failed["history"][0]
        with Bystanders(daemon, SECOND) as others, daemon.watch("instance.*") as watch:
            watch.until("instance.started", instance=FIRST)
        others.assert_served()
    with daemon.watch("instance.*") as watch:
        while daemon.state(FIRST) != "ready":
            watch.until("instance.ready", instance=FIRST)
    assert daemon.buy(FIRST, daemon.key(FIRST)).status == 200


def test_chaos_is_off_unless_it_is_switched_on(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, chaos=False).start()
    with pytest.raises(RpcFailure) as refusal:
        crash(daemon, FIRST)
    assert refusal.value.code == -32002
    assert "fleet_config.json" in refusal.value.message
    daemon.call("config.set", {"section": "fleet", "values": {"chaos": True}})
    with daemon.watch("instance.*") as watch:
        crash(daemon, FIRST)
        watch.until("instance.ready", instance=FIRST)


def test_streams_grow_and_shrink_and_keep_ports_and_keys(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2).start()

    def bring(method: str, **params: object) -> dict[str, object]:
        with daemon.watch("rollout.*") as watch:
            rollout = daemon.call(method, {"stream": "api_services", **params})
            watch.until("rollout.completed", rollout=rollout)
        found: dict[str, object] = daemon.call("rollout.status", {"rollout": rollout})
        return found

    with Bystanders(daemon, FIRST) as others:
        assert bring("fleet.scale", to=4)["done"] == 2
        assert list(daemon.states().values()) == ["ready"] * 4
        port, key = daemon.port(THIRD), daemon.key(THIRD)
        assert port == daemon.port_base + 3
        assert daemon.buy(THIRD, key).status == 200

        assert bring("fleet.scale", to=1)["done"] == 3
        assert daemon.states() == {FIRST: "ready"}
        with pytest.raises(ConnectionRefusedError):
            request(port, "/healthz")
        with pytest.raises(RpcFailure) as unknown:
            daemon.state(THIRD)
        assert unknown.value.code == -32001

        bring("fleet.deploy", count=2)
        assert daemon.states() == dict.fromkeys((FIRST, SECOND, THIRD), "ready")
        assert daemon.port(THIRD) == port
        assert daemon.buy(THIRD, key).status == 200
    others.assert_served()

    daemon.restart()
    assert daemon.states() == dict.fromkeys((FIRST, SECOND, THIRD), "ready")
    assert daemon.port(THIRD) == port
    assert daemon.buy(THIRD, key).status == 200


def test_an_instance_can_be_stopped_while_it_starts(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1).start(ready=False)
    assert daemon.call("fleet.stop", {"id": FIRST})["state"] == "stopped"
    with daemon.watch("rollout.*") as watch:
        rollout = daemon.call("fleet.deploy", {"stream": "api_services", "count": 1})
        watch.until("rollout.completed", rollout=rollout)
    assert daemon.states() == {FIRST: "stopped", SECOND: "ready"}
    deadline_s = time.monotonic() + 5
    with pytest.raises(ConnectionRefusedError):
        request(daemon.port_base + 1, "/healthz")
    assert time.monotonic() < deadline_s


def test_what_is_scaled_away_and_back_at_once_runs_though_it_was_slow_to_stop(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2).start()
    with request_in_progress(daemon, SECOND), daemon.watch("rollout.completed") as watch:
        _, back = (daemon.call("fleet.scale", {"stream": "api_services", "to": to}) for to in (1, 2))
        watch.until("rollout.completed", rollout=back)
    assert daemon.states() == {FIRST: "ready", SECOND: "ready"}
    assert daemon.buy(SECOND, daemon.key(SECOND)).status == 200


def test_a_command_that_cannot_start_its_instance_says_why(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, recovery={**WAITS, "max_retries": 0, "retry_delay": 3600}).start()
    daemon.call("fleet.stop", {"id": FIRST})
    with socket.create_server(("127.0.0.1", daemon.port_base + 1)):
        for action in ("start", "restart"):
            with pytest.raises(RpcFailure, match="another program listens there") as refusal:
                daemon.call(f"fleet.{action}", {"id": FIRST})
            assert refusal.value.code == -32002
    assert daemon.call("fleet.start", {"id": FIRST})["state"] == "ready"
