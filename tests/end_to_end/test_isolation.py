"""Instances in processes of their own, in a whole daemon."""

from __future__ import annotations

import os
import signal
import time

import psutil

from tests.end_to_end.conftest import MakeDaemon

STREAMS = (
    "affiliate_marketing",
    "api_services",
    "content_monetization",
    "crypto_arbitrage",
    "data_harvesting",
)


def test_all_five_streams_run_in_processes_sell_and_leave_nothing_when_the_daemon_is_killed(
    make_daemon: MakeDaemon,
) -> None:
    plans = {stream: {"count": 1, "isolation": "process"} for stream in STREAMS}
    daemon = make_daemon(instances=5, streams=plans, sandbox_calls_per_minute=0).start()
    assert set(daemon.states().values()) == {"ready"}
    views = {stream: daemon.call("fleet.get", {"id": f"{stream}-001"}) for stream in STREAMS}
    assert {view["isolation"] for view in views.values()} == {"process"}
    pids = {stream: view["details"]["process"]["pid"] for stream, view in views.items()}
    assert len({*pids.values(), daemon.pid}) == 6

    # What is asked for at the deployment counts more than the configuration.
    with daemon.watch("rollout.completed") as watch:
        daemon.call("fleet.deploy", {"stream": "api_services", "count": 1, "isolation": "actor"})
        watch.until("rollout.completed", total=1)
    assert daemon.call("fleet.get", {"id": "api_services-002"})["isolation"] == "actor"

    # A call is charged, and booked with its evidence; the quota survives a crash and a kill.
    shop = "api_services-001"
    key = daemon.key(shop, quota=3)
    sold = daemon.buy(shop, key)
    assert sold.status == 200
    (entry,) = daemon.entries(stream="api_services")
    assert (entry["id"], entry["instance"]) == (sold.headers["x-receipt"], shop)
    assert entry["evidence"]["kind"] == "api.response"
    with daemon.watch("instance.*") as watch:
        os.kill(pids["api_services"], signal.SIGKILL)
        crashed = watch.until("instance.crashed", instance=shop)
        assert "killed by signal 9" in crashed["failure"]
        watch.until("instance.restarted", instance=shop)
        assert daemon.buy(shop, key).status == 200
        daemon.call("chaos.crash", {"id": shop})
        watch.until("instance.restarted", instance=shop, restarts=2)
    assert [daemon.buy(shop, key).status for _ in range(2)] == [200, 429]
    assert daemon.call("fleet.get", {"id": shop})["restarts"] == 2
    assert daemon.states()["data_harvesting-001"] == "ready"

    # In order, it goes on from its checkpoint and its keys; killed, the daemon takes all of them with it.
    below = psutil.Process(daemon.pid).children(recursive=True)
    assert len(below) == 6
    daemon.kill9()
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
    daemon.start()
    assert set(daemon.states().values()) == {"ready"}
    assert daemon.buy(shop, key).status == 429
    began_s = time.monotonic()
    daemon.stop()
    assert time.monotonic() - began_s < 10
    assert daemon.logged("instance.crashed", instance="crypto_arbitrage-001") == []
