"""How a daemon ends: in order, in time, with what is in progress finished; and how a second one is kept out."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pytest

from tests.end_to_end.bystanders import Bystanders
from tests.end_to_end.daemon_process import COMMAND, ROOT, DaemonProcess
from tests.end_to_end.unfinished import SECOND_HALF, request_in_progress

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

FIRST: Final = "api_services-001"
STEPS: Final = (
    "daemon.stopping",
    "service.stopped /pulse",
    "service.stopped /control",
    "service.stopped /deployment_manager",
    f"instance.stopped {FIRST}",
    "service.stopped /instances",
    "service.stopped /ledger",
    "service.stopped /",
    "daemon.stopped",
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_with_what_is_in_progress_finished(
    make_daemon: MakeDaemon, number: signal.Signals
) -> None:
    daemon = make_daemon(instances=1).start()
    with request_in_progress(daemon, FIRST) as connection:
        signalled_s = time.monotonic()
        daemon.signal(number)
        daemon.await_log("daemon.stopping")
        connection.send(SECOND_HALF)
        answer = connection.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["valid"] is True
        assert answer.getheader("connection") == "close"
        receipt = answer.getheader("x-receipt")
    assert daemon.wait() == 0
    assert time.monotonic() - signalled_s < 5

    assert not daemon.control_socket.exists()
    told = [" ".join(filter(None, (line["event"], line.get("instance") or line.get("actor")))) for line in daemon.log()]
    assert [step for step in told if step in STEPS] == list(STEPS)
    assert daemon.logged("daemon.stopping")[0]["asked_by"] == number.name

    daemon.start()
    assert [entry["id"] for entry in daemon.entries()] == [receipt]


def test_system_shutdown_does_the_same(daemon: DaemonProcess) -> None:
    assert daemon.call("system.shutdown") == {"accepted": True}
    assert daemon.wait() == 0
    assert daemon.logged("daemon.stopping")[0]["asked_by"].startswith("pid ")
    assert daemon.log()[-1]["event"] == "daemon.stopped"


def test_a_second_signal_forces_the_end_and_charges_nothing_for_what_is_cut_off(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1).start()
    with request_in_progress(daemon, FIRST):
        daemon.signal(signal.SIGTERM)
        daemon.await_log("daemon.stopping")
        forced_s = time.monotonic()
        daemon.signal(signal.SIGINT)
        assert daemon.wait() == 130
        assert time.monotonic() - forced_s < 2  # the request alone would have been given three
    assert daemon.logged("daemon.second_signal")
    assert daemon.logged("daemon.forced")
    daemon.start()
    assert daemon.states() == {FIRST: "ready"}
    assert list(daemon.entries()) == []


def test_a_stop_while_it_starts_is_one_in_order_and_twenty_instances_are_ready_in_five_seconds(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon(instances=20)
    daemon.spawn()
    daemon.await_control()
    daemon.stop()
    stopped = len(daemon.log())
    assert daemon.log()[-1]["event"] == "daemon.stopped"
    daemon.start()
    assert list(daemon.states().values()) == ["ready"] * 20
    daemon.stop()
    at = {line["event"]: datetime.fromisoformat(line["timestamp"]) for line in daemon.log()[stopped:]}
    assert (at["rollout.completed"] - at["daemon.starting"]).total_seconds() < 5


def test_a_second_daemon_in_one_home_is_turned_away_and_harms_nothing(daemon: DaemonProcess) -> None:
    key = daemon.key(FIRST)
    ended = subprocess.run(
        [*COMMAND, str(daemon.home)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 75, ended
    assert f"the daemon {daemon.pid} already runs in {daemon.home}" in ended.stderr
    assert daemon.buy(FIRST, key).status == 200
    assert daemon.call("system.status")["pid"] == daemon.pid
    assert len([line for line in daemon.log() if line["event"] == "daemon.starting"]) == 1


def test_a_stop_under_load_answers_what_it_books_and_books_what_it_answers(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=2).start()
    with Bystanders(daemon, *(FIRST, "api_services-002") * 3) as customers:
        customers.await_answers(50)
        daemon.stop()
    # Those who came too late found a closed door, and nobody was answered that something is wrong.
    assert not [failure for failure in customers.failures if "status" in failure]
    daemon.start()
    assert sorted(entry["id"] for entry in daemon.entries()) == sorted(customers.receipts)
