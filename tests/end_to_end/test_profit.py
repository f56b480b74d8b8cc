"""A real daemon gives more to the stream that earns more, says why, and remembers what came of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon
    from tests.end_to_end.daemon_process import DaemonProcess

EARNER: Final = "api_services"
# Its multiplier promises much, but nobody buys of it.
PROMISE: Final = "data_harvesting"
RULE: Final = {"interval_s": 0.5, "mature_periods": 1, "evidence_periods": 2, "step": 1.5}


def lead(daemon: DaemonProcess) -> float:
    """Return by how much the one that is paid is ahead of its sister."""
    after = {part["instance"]: part["after"] for part in daemon.call("profit.plan")["items"]}
    return float(after[f"{EARNER}-001"] - after[f"{EARNER}-002"])


def shares(daemon: DaemonProcess) -> dict[str, float]:
    parts = daemon.call("profit.plan")["decision"]["streams"]
    return {part["stream"]: part["before"] for part in parts}


def test_who_earns_more_gets_more_and_the_outcome_is_remembered(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(
        gateway_enabled=False,
        profit=RULE,
        streams={EARNER: {"count": 2, "multiplier": 1.0}, PROMISE: {"count": 2, "multiplier": 5.0}},
    ).start()
    key = daemon.key(f"{EARNER}-001")
    with daemon.watch("profit.*") as watch:
        first = watch.until("profit.decided", action="prior")
        assert first["reason"].startswith("Too little evidence")
        assert first["streams"][EARNER]["to"] < 0.45
        deadline_s = time.monotonic() + 30
        settled: dict[str, Any] | None = None
        movers: set[str] = set()
        while shares(daemon)[EARNER] < 0.55 or lead(daemon) < 0.2 or settled is None:
            assert time.monotonic() < deadline_s, shares(daemon)
            for _ in range(3):
                assert daemon.buy(f"{EARNER}-001", key).status == 200
            seen = watch.next()
            if seen["event"] == "profit.settled" and seen["came"] != "0":
                settled = seen
            movers |= {mover["instance"] for mover in seen.get("movers", ()) if seen["action"] == "reallocated"}
        assert f"{EARNER}-001" in movers
    told = daemon.call("profit.explain", {"instance": f"{EARNER}-001"})
    assert "full periods of its own" in " ".join(told["sentences"])
    # A dry run decides nothing; a run does.
    before = daemon.call("profit.history")["items"]
    daemon.call("profit.plan")
    ran = daemon.call("profit.run")
    assert (ran["by"], ran["applied"]) == ("hand", True)
    found = {each["id"]: each for each in daemon.call("profit.history")["items"]}
    assert found[ran["id"]]["by"] == "hand"
    assert found[settled["decision"]]["outcome"] == {"net": settled["came"], "complete": True}
    assert all(each["applied"] for each in before)
    daemon.kill9()
    daemon.start()
    # What was learnt and decided is still known: shares go on from where they were.
    assert shares(daemon)[EARNER] > 0.45
    assert daemon.call("profit.history", {"limit": 1, "cursor": str(ran["id"] + 1)})["items"][0]["id"] == ran["id"]
