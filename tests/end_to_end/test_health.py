"""A real daemon watches itself: what freezes is seen and told, signed, and remembered over a kill."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

import pytest
from standardwebhooks import Webhook

from orchestrator.access.client import RpcFailure

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

SECRET: Final = "whsec_" + "YSBzZWNyZXQgdGhhdCBpcyBsb25nIGVub3VnaCBmb3IgdXM="
FIRST: Final = "api_services-001"
SECOND: Final = "api_services-002"
HEALTH: Final = {"interval_s": 1, "timeout_s": 1, "not_ready_s": 3, "webhook_secret": "MY_HOOK"}


@contextmanager
def receiver() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """Give the address of a receiver that takes only what is signed right, and what it took."""
    taken: Queue[dict[str, Any]] = Queue()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            taken.put(Webhook(SECRET).verify(body, headers))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/alerts", taken
        finally:
            server.shutdown()
            thread.join()


def test_an_instance_that_freezes_is_seen_told_of_and_well_again(make_daemon: MakeDaemon) -> None:
    with receiver() as (url, taken):
        daemon = make_daemon(health={**HEALTH, "webhook_url": url})
        env = daemon.home / ".env"
        env.write_text(f"MY_HOOK={SECRET}\n")
        env.chmod(0o600)
        daemon.start()
        with daemon.watch("health.*") as watch:
            daemon.call("chaos.freeze", {"id": FIRST})
            alert = watch.until("health.alert", instance=FIRST)
            assert (alert["symptom"], alert["stream"]) == ("unanswered", "api_services")
            # The other one, and every service, stay well while it is frozen.
            report = daemon.call("health.report")
            assert [row["name"] for row in report["items"] if row["verdict"] == "ill"] == [FIRST]
            assert report["open_incidents"] == 1
            assert report["incidents"][0]["id"] == alert["incident"]
            recovered = watch.until("health.recovered", timeout_s=15.0, instance=FIRST)
            assert recovered["incident"] == alert["incident"]
        sent = [taken.get(timeout=10) for _ in range(2)]
        assert [each["type"] for each in sent] == ["health.alert", "health.recovered"]
        assert {each["data"]["incident"] for each in sent} == {alert["incident"]}
        report = daemon.call("health.report", {"name": FIRST, "history": 10})
        assert report["webhook"]["delivered"] == 2
        (row,) = [row for row in report["items"] if row["name"] == FIRST]
        assert 0 < row["error_rate"] < 1
        assert row["p50_ms"] < 1000
        assert daemon.logged("health.alert", instance=FIRST)


def test_what_went_wrong_is_known_after_a_kill(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(health=HEALTH, recovery={"max_retries": 0, "retry_delay": 3600}).start()
    with daemon.watch("health.*", "instance.failed") as watch:
        daemon.call("chaos.crash", {"id": SECOND})
        alert = watch.until("health.alert", instance=SECOND)
        assert alert["symptom"] == "failed"
    # Asking for the past has it written; so does a second.
    assert daemon.call("health.report", {"history": 5})["past_incidents"][0]["id"] == alert["incident"]
    daemon.kill9()
    daemon.start()
    with daemon.watch("health.*") as watch:
        report = daemon.call("health.report", {"history": 5, "name": SECOND})
        if report["open_incidents"]:
            assert report["incidents"][0]["id"] == alert["incident"]
            assert watch.until("health.recovered", instance=SECOND)["incident"] == alert["incident"]
    report = daemon.call("health.report", {"history": 5, "name": SECOND})
    assert [(each["id"], each["outcome"]) for each in report["past_incidents"]] == [(alert["incident"], "recovered")]
    assert {failure["what"] for failure in report["failures"]} >= {"crashed", "failed"}


def test_without_monitoring_the_report_is_refused_with_what_to_do(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1)
    daemon.configure("unified_dashboard", {"monitoring_enabled": False})
    daemon.start()
    with pytest.raises(RpcFailure, match="set monitoring_enabled to true") as refused:
        daemon.call("health.report")
    assert refused.value.code == -32002
