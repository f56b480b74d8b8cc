"""A real daemon scales itself: up while it is busier than it may be, and down to its minimum when it is at ease."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

STREAM: Final = "api_services"

# The event loop alone counts: how busy the machine is besides is not for a test to say.
BUSY: Final = {
    "interval_s": 0.2,
    "signals": ["loop"],
    "high": 0.0001,
    "low": 0.00001,
    "full": 1.0,
    "lag_s": 60,
    "grow_window_s": 0.2,
    "shrink_window_s": 0.4,
}
AT_EASE: Final = {"high": 1.0, "low": 0.8}


def test_it_grows_consolidates_and_remembers(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        gateway_enabled=False, scaling=BUSY, streams={STREAM: {"count": 2, "scale_min": 1, "scale_max": 3}}
    ).start(ready=False)
    with daemon.watch("scaling.*", "rollout.completed") as watch:
        grown = watch.until("scaling.decided", action="scale_up", timeout_s=30)
        assert (grown["stream"], grown["instances"]) == (STREAM, {"from": 2, "to": 3})
        watch.until("rollout.completed", rollout=grown["rollout"])
        settled = watch.until("scaling.settled", round=grown["round"], timeout_s=20)
        assert (settled["outcome"]["instances"], settled["outcome"]["rollout"]) == (3, "completed")
        watch.until("scaling.decided", code="at_maximum", timeout_s=20)
        daemon.call("config.set", {"section": "fleet", "values": {"scaling": AT_EASE}})
        for count in (3, 2):
            shrunk = watch.until("scaling.decided", action="scale_down", timeout_s=30)
            assert shrunk["instances"] == {"from": count, "to": count - 1}
        watch.until("scaling.decided", code="at_minimum", timeout_s=20)
    assert daemon.call("fleet.list")["items"][0]["id"] == f"{STREAM}-001"
    assert len(daemon.call("fleet.list")["items"]) == 1
    changes = daemon.call("scaling.history", {"acted": True})["items"]
    assert [each["decisions"][0]["to"] for each in changes] == [1, 2, 3]
    daemon.await_log("scaling.decided")
    daemon.kill9()
    daemon.start(ready=False)
    remembered = daemon.call("scaling.history", {"acted": True})["items"]
    assert [each["id"] for each in remembered] == [each["id"] for each in changes]
    # The fleet is as the scaler left it, and the count that a person set is remembered beside it.
    plan = daemon.call("config.get", {"section": "fleet"})["streams"][STREAM]
    assert (plan["count"], plan["scaled"]) == (1, {"by_hand": 2, "count": 1})
