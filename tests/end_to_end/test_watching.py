"""What is seen from outside while the daemon works: events, the log, and no secrets in either."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.end_to_end.http_calls import request

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon
    from tests.end_to_end.daemon_process import DaemonProcess

FIRST: Final = "api_services-001"
IBAN: Final = "DE89370400440532013000"


def test_subscribers_are_told_of_instances_bookings_and_rollouts(daemon: DaemonProcess) -> None:
    key = daemon.key(FIRST)
    with daemon.watch("instance.*", "ledger.booked", "rollout.*") as watch:
        reply = daemon.buy(FIRST, key)
        booked = watch.until("ledger.booked", instance=FIRST)
        assert booked["transaction"] == reply.headers["x-receipt"]
        assert f"{booked['amounts']['USD']} USD" == reply.headers["x-charge"]
        assert (booked["stream"], booked["book"]) == ("api_services", "paper")

        daemon.call("chaos.crash", {"id": FIRST})
        assert watch.until("instance.crashed", instance=FIRST)["stream"] == "api_services"
        for event in ("instance.started", "instance.ready", "instance.restarted"):
            found = watch.until(event, instance=FIRST)
            assert datetime.fromisoformat(found["timestamp"]).tzinfo is not None
        daemon.call("fleet.stop", {"id": FIRST})
        watch.until("instance.stopped", instance=FIRST)

        rollout = daemon.call("fleet.scale", {"stream": "api_services", "to": 3})
        assert watch.until("rollout.started", rollout=rollout)["total"] == 1
        watch.until("instance.ready", instance="api_services-003")
        watch.until("rollout.completed", rollout=rollout)
    # The log tells of the same, under the same names.
    assert {"ledger.booked", "instance.crashed", "instance.ready", "rollout.completed"} <= {
        line["event"] for line in daemon.log()
    }


def test_the_log_can_be_followed(daemon: DaemonProcess) -> None:
    daemon.await_log("instance.ready")
    with daemon.watch("nothing") as watch:
        found = watch.ask("logs.tail", {"lines": 5, "follow": True, "instance": FIRST})
        assert {line["instance"] for line in found["items"]} == {FIRST}
        daemon.call("fleet.restart", {"id": FIRST})
        followed: list[str] = []
        while followed[-3:] != ["instance.stopped", "instance.started", "instance.ready"]:
            line = watch.next()
            assert line["instance"] == FIRST
            followed.append(line["event"])


def test_every_line_of_the_log_says_when_how_bad_what_and_who(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, recovery={"max_retries": 0, "retry_delay": 3600}).start()
    request(daemon.port(FIRST), "/v1/iban?value=x", key="ak_test_wrong")
    with daemon.watch("instance.*") as watch:
        daemon.call("chaos.crash", {"id": FIRST})
        watch.until("instance.failed", instance=FIRST)
    daemon.stop()
    lines = [json.loads(line) for line in daemon.log_file.read_text().splitlines()]
    for line in lines:
        assert {"timestamp", "level", "event", "logger"} <= line.keys(), line
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == datetime.now(UTC).utcoffset()
        assert line["timestamp"].endswith("Z")
    (crashed,) = (line for line in lines if line["event"] == "instance.crashed")
    (exception,) = crashed["exception"]
    assert exception["exc_type"] == "CrashedOnRequest"
    assert exception["frames"][-1]["name"] == "Instance.crash"
    own = (daemon.home / "instances" / FIRST / "instance.jsonl").read_text().splitlines()
    assert {json.loads(line)["instance"] for line in own} == {FIRST}
    assert json.loads(own[0])["event"] == "instance.started"


def test_keys_and_secrets_are_nowhere_but_where_they_must_be(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1, sandbox_calls_per_minute=3000)
    secret = "s3cret-of-a-venue-that-nobody-sees"
    env = daemon.home / ".env"
    env.write_text(f"VENUE_API_SECRET={secret}\n")
    env.chmod(0o600)
    daemon.start()
    purse = daemon.home / "state" / "sandbox" / "api_services" / FIRST
    with daemon.watch("ledger.booked") as watch:
        watch.until("ledger.booked", instance=FIRST)
        made = daemon.call("keys.create", {"instance": FIRST, "label": "ours"})["key"]
        assert daemon.buy(FIRST, made).status == 200
        assert request(daemon.port(FIRST), f"/v1/iban?value=x&key={made}").status == 400
        assert request(daemon.port(FIRST), f"/v1/{made}", key=made).status == 404
        daemon.call("chaos.crash", {"id": FIRST})
        watch.until("ledger.booked", instance=FIRST)
    bought = purse.read_text()
    daemon.stop()

    def holders(text: str) -> list[Path]:
        return [file for file in daemon.home.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]

    assert bought.startswith("ak_test_")
    assert holders(bought) == [purse]
    assert holders(made) == []
    assert holders(secret) == [env]
    assert made not in daemon.output()
    # That the search would find it: what was asked is in the books.
    assert holders(f'"{FIRST}"')
