"""The daemon is killed again and again while customers pay."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from tests.end_to_end.customers import Customer, calling
from tests.end_to_end.http_calls import request

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

KILLS: Final = 20
CUSTOMERS: Final = 7
QUOTA: Final = 150
SEED: Final = int(os.environ.get("AUTOMATE_TEST_SEED") or random.SystemRandom().randrange(10**9))
INSTANCES: Final = ("api_services-001", "api_services-002")


@pytest.mark.timeout(120)
def test_twenty_kills_under_load_lose_no_call_that_was_answered_and_book_none_twice(
    make_daemon: MakeDaemon,
) -> None:
    print(f"AUTOMATE_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    daemon = make_daemon(instances=len(INSTANCES)).start()
    ports = [daemon.port(instance) for instance in INSTANCES]
    keys = [daemon.call("keys.create", {"instance": instance, "rate": 10_000}) for instance in INSTANCES]
    limited = daemon.call("keys.create", {"instance": INSTANCES[0], "rate": 10_000, "quota": QUOTA})
    customers = [
        Customer(number, ports[number % 2], keys[number % 2]["key"], repeats=number % 4 < 3)
        for number in range(CUSTOMERS - 1)
    ]
    customers.append(Customer(CUSTOMERS - 1, ports[0], limited["key"], repeats=False, pause_s=0.02))

    with calling(customers):
        for kill in range(KILLS):
            # Some fall into the start, some into the first calls after it, most into the full load.
            if kill % 5 == 4:
                time.sleep(chance.uniform(0.0, 1.0))
            else:
                daemon.await_control()
                daemon.await_fleet()
                time.sleep(chance.uniform(0.0, 0.4))
            daemon.kill9()
            daemon.spawn()
        daemon.await_control()
        daemon.await_fleet()
        customers[-1].join(30)  # the quota's, who ends when it is used up
    assert daemon.states() == dict.fromkeys(INSTANCES, "ready")

    entries = list(daemon.entries())
    booked = {entry["id"]: entry for entry in entries}
    assert len(booked) == len(entries) == len({entry["key"] for entry in entries})
    receipts = [receipt for each in customers for receipt in (*each.receipts.values(), *each.plain_receipts)]
    assert len(receipts) > 1000, "there was no load to speak of"
    assert len(set(receipts)) == len(receipts)
    assert set(receipts) <= booked.keys()
    for customer in customers:
        for name, receipt in customer.receipts.items():
            assert booked[receipt]["key"].endswith(f"/idem/{name}")

    # What is booked beyond that is of calls whose customers did not see the answer, and did not ask again.
    repeated = [entry for entry in entries if "/idem/" in entry["key"]]
    assert len(repeated) == sum(len(customer.receipts) for customer in customers)
    unseen = len(entries) - len(receipts)
    print(f"{len(entries)} bookings, {len(receipts)} answered, {sum(c.unanswered for c in customers)} unanswered")
    assert unseen <= sum(customer.unanswered for customer in customers)

    report = daemon.call("ledger.verify")
    assert (report["ok"], report["transactions"]) == (True, len(entries))
    assert Counter(status for each in customers for status in each.refused if status not in (429, 503)) == {}
    calls = {}
    for made, port in zip([*keys, limited], [*ports, ports[0]], strict=True):
        calls[made["id"]] = request(port, "/v1/usage", key=made["key"]).json()["calls"]
    assert calls == Counter(entry["key"].split("/")[1] for entry in entries)
    assert calls[limited["id"]] == QUOTA

    daemon.stop()
    for instance in INSTANCES:
        log = (daemon.home / "instances" / instance / "revenue_log.txt").read_text().splitlines()
        assert [line.split("\t")[1] for line in log] == [e["id"] for e in entries if e["instance"] == instance]
