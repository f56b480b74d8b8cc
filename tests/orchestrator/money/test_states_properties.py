"""Any steps in any order and any groups: the books stay balanced, and nothing is earned that was not said to be."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.money.chain import id_text, transaction_id
from orchestrator.money.queries import read_entries
from orchestrator.money.report import Entry
from orchestrator.money.schema import open_reader
from orchestrator.money.store import Store
from orchestrator.money.totals import read_totals
from orchestrator.money.verify import verify
from streams.booking import Book, Receipt
from streams.money import parse_amount
from tests.orchestrator.money.bookings import commission, earned, paid, step, taken_back, write

UNITS = 10

Asked = tuple[str, int, int]
"""What is asked for, of which commission, with how many units. Commission 0 is posted at once, others are pending."""

asked = st.lists(
    st.tuples(
        st.sampled_from(["told", "posted", "voided", "settled", "reversed"]),
        st.integers(0, 2),
        st.sampled_from([1, 4, UNITS, UNITS + 1]),
    ),
    max_size=25,
)
cuts = st.lists(st.integers(1, 6), min_size=25, max_size=25)


def booking(what: str, number: int, units: int) -> Book:
    told = commission(number, UNITS, state="pending" if number else "posted")
    pending = id_text(transaction_id("paper", told.key))
    posted = id_text(transaction_id("paper", f"posted:{number}")) if number else pending
    made = {
        "told": lambda: told,
        "posted": lambda: step(pending, "posted", *earned(units), key=f"posted:{number}"),
        "voided": lambda: step(pending, "voided"),
        "settled": lambda: step(posted, "settled", *paid(units)),
        "reversed": lambda: step(posted, "reversed", *taken_back(units)),
    }
    return made[what]()


class Commission:
    """What ought to become of one commission: a second, shorter telling of the rules."""

    def __init__(self, pending: bool) -> None:
        self.pending = pending
        self.booked: dict[str, int] = {}

    def takes(self, what: str, units: int) -> bool:
        """Take a step if it may be taken; the same again is no other step."""
        if what in self.booked:
            return what in {"told", "voided"} or self.booked[what] == units
        resolved = {"posted", "voided"} & self.booked.keys()
        base = "posted" if self.pending else "told"
        due = self.booked.get(base, 0)
        allowed = {
            "told": True,
            "posted": self.pending and "told" in self.booked and not resolved and units <= UNITS,
            "voided": self.pending and "told" in self.booked and not resolved,
            "settled": base in self.booked and units <= due - self.booked.get("reversed", 0),
            "reversed": base in self.booked and units <= due,
        }[what]
        if allowed:
            self.booked[what] = UNITS if what == "told" else units
        return allowed

    def earns(self) -> Counter[str]:
        """Return the income by state."""
        told, posted = self.booked.get("told", 0), self.booked.get("posted", 0)
        if not self.pending:
            return Counter(posted=told - self.booked.get("reversed", 0))
        return Counter(
            pending=0 if {"posted", "voided"} & self.booked.keys() else told,
            posted=posted - self.booked.get("reversed", 0),
        )


def write_in_groups(store: Store, bookings: list[Book], sizes: list[int]) -> list[object]:
    outcomes: list[object] = []
    rest, sizes = list(bookings), list(sizes)
    while rest:
        size = sizes.pop()
        outcomes += write(store, *rest[:size])
        del rest[:size]
    return outcomes


def steps_are_legal(entry: Entry) -> bool:
    outcomes = [taken.outcome for taken in entry.steps]
    resolving = [outcome for outcome in outcomes if outcome in {"posted", "voided", "expired"}]
    was_pending = entry.counts_as != "posted"
    return (
        len(set(outcomes)) == len(outcomes)
        and resolving == (outcomes if was_pending else [])
        and len(resolving) <= 1
        and entry.state == (outcomes[-1] if outcomes else entry.counts_as)
    )


@settings(max_examples=60, deadline=None)
@given(asked, cuts, st.randoms(use_true_random=False))
def test_any_steps_end_in_a_legal_state_and_in_balanced_books(wanted: list[Asked], sizes: list[int], shuffle) -> None:  # type: ignore[no-untyped-def]
    commissions = [Commission(pending=number > 0) for number in range(3)]
    expected = [commissions[number].takes(what, units) for what, number, units in wanted]
    bookings = [booking(*each) for each in wanted]
    with tempfile.TemporaryDirectory() as directory, closing(Store(Path(directory, "l.sqlite3"))) as store:
        store.open()
        outcomes = write_in_groups(store, bookings, sizes)
        assert [isinstance(outcome, Receipt) for outcome in outcomes] == expected

        made = [each for each, outcome in zip(bookings, outcomes, strict=True) if isinstance(outcome, Receipt)]
        shuffle.shuffle(made)
        again = write_in_groups(store, made, sizes)
        assert all(isinstance(outcome, Receipt) and outcome.replayed for outcome in again)

        report = verify(Path(directory, "l.sqlite3"))
        assert report.ok, report.problems
        assert report.transactions == len({each.key for each in made})
        sums = store.connection.execute("SELECT state, asset, sum(units) FROM balances GROUP BY state, asset")
        assert all(units == 0 for _, _, units in sums)

        with closing(open_reader(Path(directory, "l.sqlite3"))) as reading:
            entries = read_entries(reading).items
            assert all(map(steps_are_legal, entries))
            totals = Counter[str]()
            for item in read_totals(reading, "paper").items:
                totals[item.state] += parse_amount(item.amount, "USD")
            by_entries = Counter[str]()
            for entry in entries:
                if entry.counts_as is not None and entry.amount is not None:
                    by_entries[entry.counts_as] += parse_amount(entry.amount, "USD")
        model = sum((each.earns() for each in commissions), Counter[str]())
        assert +totals == +by_entries == +model
