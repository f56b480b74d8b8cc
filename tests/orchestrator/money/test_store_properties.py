from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.money.queries import read_entries, read_meters
from orchestrator.money.report import TotalsItem
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.booking import Book, KeyConflict, MeterIncrement, Posting, Receipt
from streams.money import format_amount
from tests.orchestrator.money.bookings import api_call, write

keys = st.integers(0, 12)
legs = st.lists(
    st.tuples(
        st.sampled_from(["income:s:i", "cost:fees", "cost:cpu"]),
        st.sampled_from(["USD", "BTC"]),
        st.integers(-(10**15), 10**15),
    ),
    min_size=1,
    max_size=3,
)


def booking(key: int, name: str, instance: str, day: int, moves: list[tuple[str, str, int]]) -> Book:
    postings = []
    for account, asset, units in moves:
        postings += [Posting(account, asset, units), Posting("asset:clearing", asset, -units)]
    return api_call(
        key + 86_400 * day,
        key=f"k{key}",
        book=name,
        instance=instance,
        postings=tuple(postings),
        meters=(MeterIncrement(f"m{key % 3}", key),),
    )


bookings = st.lists(
    st.builds(booking, keys, st.sampled_from(["paper", "live"]), st.sampled_from(["a", "b"]), st.integers(0, 2), legs),
    max_size=25,
)
cuts = st.lists(st.integers(1, 7), min_size=25, max_size=25)


def write_in_groups(path: Path, all_bookings: list[Book], sizes: list[int]) -> list[object]:
    outcomes: list[object] = []
    store = Store(path)
    store.open()
    rest, sizes = list(all_bookings), list(sizes)
    while rest:
        size = sizes.pop()
        outcomes += write(store, *rest[:size])
        del rest[:size]
    store.close()
    return outcomes


def expected_totals(booked: list[Book], name: str) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for made in booked:
        for posting in made.postings:
            kind = posting.account.split(":")[0]
            if made.book == name and kind in {"income", "cost"}:
                sums[posting.asset, kind] += -posting.units if kind == "income" else posting.units
    return sums


@settings(max_examples=25, deadline=None)
@given(bookings, cuts, cuts)
def test_any_bookings_in_any_groups_give_the_totals_of_their_postings(
    wanted: list[Book], sizes: list[int], other_sizes: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path, other = Path(directory, "one.sqlite3"), Path(directory, "other.sqlite3")
        outcomes = write_in_groups(path, wanted, sizes)
        booked = [
            made
            for made, outcome in zip(wanted, outcomes, strict=True)
            if isinstance(outcome, Receipt) and not outcome.replayed
        ]
        report = verify(path)
        assert report.ok, report
        assert report.transactions == len(booked) == len({(made.book, made.key) for made in wanted})

        write_in_groups(other, wanted, other_sizes)
        again = write_in_groups(other, wanted, sizes)  # replays, or conflicts as before
        assert [type(outcome) for outcome in again] == [type(outcome) for outcome in outcomes]
        assert all(isinstance(outcome, KeyConflict) or outcome.replayed for outcome in again)  # type: ignore[attr-defined]

        with closing(open_reader(path)) as one, closing(open_reader(other)) as two:
            for name in ("paper", "live"):
                totals = read_totals(one, name)
                assert {(item.asset, item.kind): item.amount for item in totals.items} == {
                    place: format_amount(units, place[0]) for place, units in expected_totals(booked, name).items()
                }
                for by in (None, "stream", "instance", "day"):
                    assert read_totals(one, name, by) == read_totals(two, name, by)
                    assert _sum(read_totals(one, name, by).items) == _sum(totals.items)
            meters: Counter[str] = Counter()
            for made in booked:
                meters.update({increment.meter: increment.amount for increment in made.meters})
            assert read_meters(one, "m") == read_meters(two, "m") == dict(meters)
            # The times of booking differ, all else does not.
            assert [entry.id for entry in read_entries(one).items] == [entry.id for entry in read_entries(two).items]


def _sum(items: tuple[TotalsItem, ...]) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for item in items:
        sums[item.asset, item.kind] += int(item.amount.replace(".", "")) * 10 ** (
            8 - len(item.amount.partition(".")[2])
        )
    return dict(sums)
