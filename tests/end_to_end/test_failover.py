"""Four crashes within a minute: a standby carries the work on, on the same port, and the pool is full again later."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from tests.end_to_end.bystanders import Bystanders
from tests.end_to_end.http_calls import request
from tests.end_to_end.unfinished import request_in_progress

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon
    from tests.end_to_end.daemon_process import DaemonProcess, Watch

FIRST: Final = "api_services-001"
SECOND: Final = "api_services-002"
RECOVERY: Final = {"max_retries": 3, "retry_delay": 2}
AT_ONCE: Final = {"max_retries": 0, "retry_delay": 3600}
"""The first failure trips the budget."""


def crash(daemon: DaemonProcess, instance: str) -> None:
    daemon.call("chaos.crash", {"id": instance})


def trip(daemon: DaemonProcess, watch: Watch, instance: str) -> float:
    """Crash an instance four times, and return when it did so for the last time."""
    for _ in range(3):
        crash(daemon, instance)
        watch.until("instance.restarted", instance=instance)
    tripped_s = time.monotonic()
    crash(daemon, instance)
    return tripped_s


def await_answer(port: int, since_s: float, within_s: float) -> float:
    """Ask a port until it answers, and return how long after a moment that was."""
    while True:
        try:
            if request(port, "/healthz").status == 200:
                return time.monotonic() - since_s
        except OSError:
            assert time.monotonic() - since_s < within_s, f"nothing serves on port {port}"
        time.sleep(0.005)


def standbys(daemon: DaemonProcess) -> list[str]:
    return [row["id"] for row in daemon.call("fleet.list", {"state": "standby"})["items"]]


def used(port: int, key: str) -> Any:
    return request(port, "/v1/usage", key=key).json()


def test_after_four_crashes_a_standby_serves_on_the_same_port_and_the_pool_fills_again(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(instances=2, recovery=RECOVERY).start()
    daemon.await_log("standbys.ready")
    names = [f"standby-00{number}" for number in range(1, 6)]
    assert standbys(daemon) == names
    counted = daemon.call("system.status")["instances"]
    assert (counted["total"], counted["active"]) == (2, 2)
    assert counted["by_state"] == {"ready": 2, "standby": 5}
    assert daemon.call("fleet.get", {"id": names[0]})["ready"]

    port, key = daemon.port(FIRST), daemon.key(FIRST, quota=10)
    receipts = {daemon.buy(FIRST, key).headers["x-receipt"] for _ in range(4)}
    before = used(port, key)
    with daemon.watch("instance.*", "standbys.*") as watch, Bystanders(daemon, SECOND) as others:
        tripped_s = trip(daemon, watch, FIRST)
        assert await_answer(port, tripped_s, within_s=5.0) < 1.0
        told = watch.until("instance.failover", instance=FIRST)
        assert (told["standby"], told["port"], told["stream"]) == (names[0], port, "api_services")
        assert (told["standbys_left"], told["took_s"] < 1.0) == (4, True)
        assert "chaos.crash was called" in told["reason"]

        # It is the same work: identity, keys, quota and bookings; and its budget is a fresh one.
        view = daemon.call("fleet.get", {"id": FIRST})
        assert (view["state"], view["port"], view["restarts_left"]) == ("ready", port, 3)
        assert used(port, key) == before
        receipts |= {daemon.buy(FIRST, key).headers["x-receipt"] for _ in range(6)}
        assert daemon.buy(FIRST, key).status == 429
        assert {entry["id"] for entry in daemon.entries(instance=FIRST)} == receipts
        assert len(receipts) == 10

        # The body that failed cools down in the standby's seat.
        seat = daemon.call("fleet.get", {"id": names[0]})
        assert (seat["state"], seat["details"]["carried"]) == ("failed", FIRST)
        assert "cools down" in seat["health"]
        assert standbys(daemon) == names[1:]
        pool = daemon.call("fleet.standbys")
        assert (pool["wanted"], pool["ready"]) == (5, 4)
        assert 0 < pool["items"][0]["cools_down_s"] <= 2

        assert watch.until("standbys.ready")["count"] == 5
        assert time.monotonic() - tripped_s > 2
    others.assert_served()
    assert standbys(daemon) == names
    line = daemon.await_log("instance.failover")
    assert (line["instance"], line["standby"], line["level"]) == (FIRST, names[0], "warning")
    assert daemon.states() == {FIRST: "ready", SECOND: "ready"}


def test_a_customer_who_stalls_does_not_hold_the_takeover_up(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, recovery={**AT_ONCE, "backup_instances": 1}).start()
    daemon.await_log("standbys.ready")
    port = daemon.port(FIRST)
    with request_in_progress(daemon, FIRST):
        crashed_s = time.monotonic()
        crash(daemon, FIRST)
        assert await_answer(port, crashed_s, within_s=5.0) < 1.0
    daemon.await_log("instance.failover")


def test_work_that_fails_wherever_it_runs_does_not_eat_the_pool_and_a_stop_by_hand_holds(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(instances=2, recovery={**AT_ONCE, "backup_instances": 2}).start()
    daemon.await_log("standbys.ready")
    with daemon.watch("instance.*") as watch:
        crash(daemon, FIRST)
        watch.until("instance.failover", instance=FIRST, standby="standby-001")
        crash(daemon, FIRST)
        refused = watch.until("instance.failover_refused", instance=FIRST)
        assert "fresh budget" in refused["reason"]
        assert daemon.state(FIRST) == "failed"
        assert standbys(daemon) == ["standby-002"]

        # Who has none left says so; and what a person stops, is stopped.
        crash(daemon, SECOND)
        watch.until("instance.failover", instance=SECOND, standby="standby-002", standbys_left=0)
        assert daemon.call("fleet.stop", {"id": SECOND})["state"] == "stopped"
        assert daemon.call("fleet.restart", {"id": FIRST})["state"] == "ready"
    assert daemon.states() == {FIRST: "ready", SECOND: "stopped"}

    # After a kill the work comes up as itself, and the pool is made anew.
    daemon.kill9()
    daemon.start()
    assert daemon.states() == {FIRST: "ready", SECOND: "stopped"}
    with daemon.watch("standbys.*") as watch:
        if len(standbys(daemon)) < 2:
            watch.until("standbys.ready")
    assert standbys(daemon) == ["standby-001", "standby-002"]
