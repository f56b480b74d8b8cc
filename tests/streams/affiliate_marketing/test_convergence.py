"""The same claims in any order end in the same state and the same money: in the plan, and in the real ledger."""

from __future__ import annotations

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.money.report import Entry
from streams.affiliate_marketing.claim import Claim
from streams.affiliate_marketing.judgement import Attribution
from streams.affiliate_marketing.order_store import Postback
from streams.affiliate_marketing.orders import Orders
from streams.affiliate_marketing.standing import Standing, standing_of
from streams.affiliate_marketing.step_booking import Bookkeeper
from streams.affiliate_marketing.steps import Lines, Step
from streams.money import parse_amount
from tests.streams.affiliate_marketing.agencies import offer, sums
from tests.streams.ledgers import LedgerBench, open_ledger

T0 = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOW = T0 + timedelta(days=90)
ATTRIBUTION = Attribution("kettles", "kettle", T0 - timedelta(minutes=5), 1, 86_400)


def claim(status: str, dollars: int, hour: int, source: str = "server", order_id: str = "o") -> Claim:
    return msgspec.convert(
        {
            "order_id": order_id,
            "click_id": "c",
            "status": status,
            "units": dollars * 1_000_000,
            "currency": "USD",
            "ordered_at": T0,
            "occurred_at": T0 + timedelta(hours=hour),
            "source": source,
        },
        Claim,
    )


STATUSES = ("pending", "hold", "approved", "paid", "refunded", "reversed", "duplicate", "fraud", "cancelled")
CLAIMS = st.lists(
    st.builds(
        claim,
        st.sampled_from(STATUSES[:5] * 3 + STATUSES),
        st.integers(0, 6),
        st.integers(0, 5),
        st.sampled_from(("server", "server", "server", "pixel", "statement")),
    ),
    min_size=1,
    max_size=5,
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(CLAIMS)
def test_the_plan_of_every_permutation_ends_in_the_same_sums(claims: list[Claim]) -> None:
    standing = standing_of(claims)
    for order in itertools.permutations(claims):
        steps: dict[int, Step] = {}
        for heard in range(1, len(order) + 1):
            steps |= Lines(steps).steps_to(standing_of(order[:heard]))
            assert Lines(steps).steps_to(standing_of(order[:heard])) == {}, "nothing is left to do"
        lines = Lines(steps)
        assert (lines.expected, lines.earned, lines.paid) == (standing.expected, standing.earned, standing.paid)
        assert standing_of(order) == standing


@hypothesis_settings(max_examples=100, deadline=None)
@given(CLAIMS, st.integers(0, 4))
def test_a_claim_heard_twice_changes_nothing(claims: list[Claim], which: int) -> None:
    assert standing_of([*claims, claims[which % len(claims)]]) == standing_of(claims)


def test_what_the_field_knows() -> None:
    pending, approved, paid = claim("pending", 4, 0), claim("approved", 4, 1), claim("paid", 4, 2)
    assert standing_of([approved, pending]).earned == 4_000_000
    assert standing_of([claim("reversed", 4, 0), approved]) == Standing("reversed")
    assert standing_of([pending, approved, paid, claim("refunded", 1, 3)]) == Standing(
        "paid", earned=3_000_000, paid=4_000_000
    )
    assert standing_of([paid, claim("fraud", 4, 3)]) == Standing("fraud", paid=4_000_000)
    assert standing_of([claim("pending", 9, 0, "pixel"), pending]).expected == 4_000_000
    assert standing_of([claim("approved", 9, 0, "pixel")]) == Standing("pending", expected=9_000_000)
    assert standing_of([claim("paid", 9, 5, "pixel"), pending]).expected == 4_000_000
    assert standing_of([claim("refunded", 4, 0), approved]).earned == 4_000_000, "said later, it has the refund in"


async def booked(bench: LedgerBench, file: Path, order_id: str, claims: tuple[Claim, ...]) -> None:
    orders = Orders(
        file=file,
        offers={"kettles": offer()},
        bookkeeper=Bookkeeper("affiliate_marketing", f"affiliate_marketing-{order_id}", "paper"),
        ledger=bench.ref,
        now=lambda: NOW,
        log=structlog.get_logger(),
        worth_changed=lambda *_: None,
    )
    await orders.start()
    try:
        for each in claims:
            proof = msgspec.json.encode(each)
            name = sha256(proof).hexdigest()[:20]
            postback = Postback("acme", name, NOW, b"", "network.postback", proof, each, "quarantined")
            kept = await orders.take(postback, ATTRIBUTION)
            assert kept.verdict == "accepted"
        (order,) = await orders.all("acme", 10)
        assert order.standing == standing_of(claims)
    finally:
        await orders.stop()


class _Only:
    """A part of a ledger: one instance's."""

    def __init__(self, bench: LedgerBench, instance: str) -> None:
        self._bench = bench
        self._instance = instance

    async def entries(self) -> list[Entry]:
        return [entry for entry in await self._bench.entries() if entry.instance == self._instance]


STORIES = (
    (("pending", 4, 0), ("approved", 3, 1), ("paid", 3, 2), ("refunded", 1, 3)),
    (("pending", 4, 0), ("approved", 5, 1), ("paid", 5, 2), ("reversed", 5, 3)),
    (("pending", 4, 0), ("approved", 4, 1), ("refunded", 1, 2), ("paid", 3, 3)),
    (("paid", 4, 0), ("refunded", 1, 1), ("refunded", 2, 2), ("approved", 4, 3)),
    (("pending", 4, 0), ("cancelled", 4, 1), ("approved", 4, 2)),
    (("pending", 6, 0, "pixel"), ("pending", 4, 1), ("paid", 4, 2)),
)


async def test_the_real_ledger_ends_in_the_same_sums_whatever_came_first(tmp_path: Path) -> None:
    async with open_ledger(tmp_path) as bench:
        for story, said in enumerate(STORIES):
            claims = [claim(*each) for each in said]
            orders = list(itertools.permutations(claims))
            await asyncio.gather(
                *(
                    booked(bench, tmp_path / f"{story}-{number}.sqlite3", f"{story}-{number}", order)
                    for number, order in enumerate(orders)
                )
            )
            standing = standing_of(claims)
            for number in range(len(orders)):
                found = await sums(_Only(bench, f"affiliate_marketing-{story}-{number}"))
                due = standing.earned - standing.paid
                expected = {"earned": standing.earned, "paid": standing.paid, "due": due, "expected": standing.expected}
                assert {name: parse_amount(amount, "USD") for name, amount in found.items()} == {
                    name: units for name, units in expected.items() if units
                }, (said, orders[number])
