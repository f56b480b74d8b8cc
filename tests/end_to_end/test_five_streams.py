"""Five streams in one daemon: each earns on evidence, says what it saw, and survives `kill -9` with its books."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import pytest

from tests.end_to_end.conftest import making_daemons
from tests.end_to_end.daemon_process import DaemonProcess

EVIDENCE: Final = {  # of what a stream earns from outside the fleet
    "crypto_arbitrage": {"venue.fill"},
    "data_harvesting": {"api.response"},
    "content_monetization": {"contract.statement", "api.response"},
    "api_services": {"api.response"},
    "affiliate_marketing": {"network.postback"},
}
WITHIN_S: Final = 60.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with two instances of each stream and visitors in a hurry, that has booked something of each."""
    with making_daemons(tmp_path_factory.mktemp("five")) as make:
        daemon = make(
            instances=10,
            sandbox_calls_per_minute=120,
            streams={stream: {"count": 2} for stream in EVIDENCE},
        )
        daemon.start()
        _wait_for_bookings(daemon)
        yield daemon


def _wait_for_bookings(daemon: DaemonProcess, after: int = 0) -> None:
    missing = set(EVIDENCE)
    until = time.monotonic() + WITHIN_S
    while missing:
        assert time.monotonic() < until, f"within {WITHIN_S:g} s nothing was booked by {missing}"
        missing -= {
            entry["stream"]
            for entry in daemon.entries()
            if entry["sequence"] > after and entry["evidence"]["kind"] in EVIDENCE[entry["stream"]]
        }
        time.sleep(0.2)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def _url(daemon: DaemonProcess, instance: str) -> str:
    return f"http://127.0.0.1:{daemon.port(instance)}"


def test_every_stream_books_on_evidence_of_its_kind(fleet: DaemonProcess) -> None:
    kinds: dict[str, set[str]] = {}
    for entry in fleet.entries():
        kinds.setdefault(entry["stream"], set()).add(entry["evidence"]["kind"])
        assert entry["book"] == "paper"
    assert kinds.keys() == EVIDENCE.keys()
    for stream, seen in kinds.items():
        assert seen & EVIDENCE[stream], f"{stream}: {seen}"


def test_every_instance_tells_its_funnel_and_answers_its_health_check(fleet: DaemonProcess) -> None:
    for instance, state in fleet.states().items():
        assert state == "ready"
        view = fleet.call("fleet.get", {"id": instance})
        assert view["funnel"], instance
        assert json.loads(_get(f"{_url(fleet, instance)}/healthz"))["status"] == "ok"


def test_two_instances_of_a_stream_are_two_businesses(fleet: DaemonProcess) -> None:
    for stream in EVIDENCE:
        one, other = (fleet.call("fleet.get", {"id": f"{stream}-00{n}"})["settings"] for n in (1, 2))
        assert one != other


def test_what_the_contract_names_is_served(fleet: DaemonProcess) -> None:
    content = _url(fleet, "content_monetization-001")
    assert _get(f"{content}/").startswith(b"<!doctype html>") or b"<html" in _get(f"{content}/")[:200]
    assert b"<rss" in _get(f"{content}/feed.xml")
    assert b"<urlset" in _get(f"{content}/sitemap.xml")
    _get(f"{content}/ads.txt")
    datasets = json.loads(_get(f"{_url(fleet, 'data_harvesting-001')}/v1/datasets"))
    assert datasets["items"][0]["name"]
    links = json.loads(_get(f"{_url(fleet, 'affiliate_marketing-001')}/links.json"))
    assert links["items"][0]["url"].startswith(_url(fleet, "affiliate_marketing-001") + "/c/")


def test_the_paper_world_is_told_of(fleet: DaemonProcess) -> None:
    kinds = Counter(side["name"].partition(".")[0] for side in fleet.call("sandbox.list"))
    assert kinds.keys() == {"venue", "site", "network"}
    told = fleet.home / "run" / "sandbox.json"
    assert told.stat().st_mode & 0o777 == 0o600


def test_transfers_between_instances_are_no_income_of_the_fleet(fleet: DaemonProcess) -> None:
    until = time.monotonic() + 30
    while not (internal := _internal(fleet)) or sum(internal.values(), Decimal()):
        assert time.monotonic() < until, f"no transfer is booked on both sides: {internal}"
        time.sleep(0.2)
    consolidated, standalone = (
        {
            (item["asset"], item["kind"]): Decimal(item["amount"])
            for item in fleet.call("ledger.totals", {"book": "paper", "consolidated": which})["items"]
            if item["state"] == "posted" and item["asset"] == "USD"
        }
        for which in (True, False)
    )
    assert standalone["USD", "cost"] - consolidated.get(("USD", "cost"), 0) >= internal["cost"]
    # Sales go on between the two looks, so that income may only have grown.
    assert standalone["USD", "income"] - consolidated["USD", "income"] >= -internal["income"] > 0


def _internal(daemon: DaemonProcess) -> dict[str, Decimal]:
    """Return what was transferred between instances: costs, and income, which is negative."""
    sums: dict[str, Decimal] = {}
    for entry in daemon.entries():
        for posting in entry["postings"]:
            kind, _, rest = posting["account"].partition(":")
            if rest.startswith("internal:") and kind in ("income", "cost"):
                sums[kind] = sums.get(kind, Decimal()) + Decimal(posting["amount"])
    return sums


def test_killed_in_the_middle_the_fleet_comes_back_and_no_booking_is_lost_or_doubled(fleet: DaemonProcess) -> None:
    before = {entry["id"]: entry for entry in fleet.entries()}
    fleet.kill9()
    fleet.start()
    assert set(fleet.states().values()) == {"ready"}
    after = {entry["id"]: entry for entry in fleet.entries()}
    assert before.keys() <= after.keys()
    _wait_for_bookings(fleet, after=max(entry["sequence"] for entry in after.values()))
    proofs = Counter(
        (entry["instance"], entry["kind"], entry["evidence"]["external_id"], entry["state"])
        for entry in fleet.entries()
        if entry["evidence"]["kind"] == "venue.fill"
    )
    assert set(proofs.values()) <= {1}, proofs.most_common(3)
    report = fleet.call("ledger.verify")
    assert report["ok"], report


def test_the_log_has_no_error(fleet: DaemonProcess) -> None:
    loud = [line for line in fleet.log() if line["level"] in ("error", "critical")]
    assert not loud, loud[:3]
