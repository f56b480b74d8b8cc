"""What postings add up to, for comparison with the sums that the ledger keeps of them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from orchestrator.money.movements import DAY_CHARS, Flow, flows_of, join
from orchestrator.money.validation import EARNING_KINDS
from streams.transfers import is_internal

_BALANCES: Final = "SELECT origin, account, asset, state, day, units FROM balances"
_SUMS: Final = "SELECT origin, account, asset, state, billions, rest FROM sums"
_FLOWS: Final = "SELECT grain, starts, book, stream, kind, internal, asset, state, billions, rest FROM flows"


class Recount:
    """Adds postings up, and finds where the ledger says otherwise. Memory grows with the number of balances."""

    def __init__(self) -> None:
        self._balances: Counter[tuple[int, int, str, str, str]] = Counter()
        self._flows: Counter[Flow] = Counter()

    def add(
        self,
        origin: int,
        party: tuple[str, str],
        account: int,
        name: str | None,
        asset: str,
        state: str,
        hour: str,
        units: int,
    ) -> None:
        """Add a posting.

        Args:
            origin: The number of who booked it.
            party: The origin's book and stream.
            account: The account's number.
            name: The account's name; None where it has none, which is somebody else's to tell.
            asset: The asset's code.
            state: What it counts as.
            hour: The UTC hour it happened in.
            units: How much.
        """
        self._balances[origin, account, asset, state, hour[:DAY_CHARS]] += units
        kind = name.partition(":")[0] if name is not None else ""
        if name is not None and kind in EARNING_KINDS:
            for flow in flows_of(hour, party, (kind, is_internal(name)), asset, state):
                self._flows[flow] += units

    def problems(self, connection: sqlite3.Connection) -> Iterator[str]:
        """Yield where balances, sums and flows are not what the postings add up to; what was added is used up.

        Raises:
            sqlite3.Error: The ledger cannot be read.
        """
        totals: Counter[tuple[int, int, str, str]] = Counter()
        for (origin, account, asset, state, _), units in self._balances.items():
            totals[origin, account, asset, state] += units
        balances = ((tuple(place), units) for *place, units in connection.execute(_BALANCES))
        yield from _differences("balance of origin {}, account {}, {}, {}, {}", balances, self._balances)
        yield from _differences("sum of origin {}, account {}, {}, {}", _joined(connection, _SUMS), totals)
        yield from _differences("flow of the {} {} in {}, {}, {}, {}, {}, {}", _joined(connection, _FLOWS), self._flows)


def _joined(connection: sqlite3.Connection, statement: str) -> Iterator[tuple[tuple[Any, ...], int]]:
    for *place, billions, rest in connection.execute(statement):
        yield tuple(place), join(billions, rest)


def _differences(name: str, kept: Iterator[tuple[tuple[Any, ...], int]], expected: Counter[Any]) -> Iterator[str]:
    for place, units in kept:
        if (said := expected.pop(place, None)) != units:
            yield f"{name.format(*place)} is {units} units, its postings say {said}"
    for place, units in expected.items():
        yield f"{name.format(*place)} is missing, its postings say {units} units"
