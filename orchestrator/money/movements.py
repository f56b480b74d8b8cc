"""What bookings move, summed at once so that nobody has to sum postings later.

Three tables follow from the postings, in the commit that writes them:

- `balances`: each account of each instance by day, for a look at an account over time;
- `sums`: the same over all days, for totals by stream or instance;
- `flows`: income and cost of each stream by hour and by day, for growth and history.

A sum of many rows may pass 64 bits, which SQLite refuses. So `sums` and `flows` hold a number in two parts, whole
billions and the rest, each of which stays far below; `join` puts them together exactly.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from orchestrator.money.bulk import BulkInsert

PART: Final = 1_000_000_000
"""What the first part of a number in two parts counts."""

DAY_CHARS: Final = len("2026-01-31")
"""What an hour, `2026-01-31T14`, has of its day."""

Grain: TypeAlias = Literal["hour", "day"]

Place: TypeAlias = tuple[int, int, str, str]
"""Numbers of origin and account, asset, UTC hour."""

Flow: TypeAlias = tuple[str, str, str, str, str, int, str, str]
"""Grain, its start, book, stream, kind (income or cost), 1 where between instances, asset, state."""

_MOVE_BALANCES: Final = BulkInsert(
    "balances",
    ("origin", "account", "asset", "state", "day", "units"),
    "ON CONFLICT DO UPDATE SET units = units + excluded.units",
)
_ADD_PARTS: Final = "ON CONFLICT DO UPDATE SET billions = billions + excluded.billions, rest = rest + excluded.rest"
_MOVE_SUMS: Final = BulkInsert("sums", ("origin", "account", "asset", "state", "billions", "rest"), _ADD_PARTS)
_MOVE_FLOWS: Final = BulkInsert(
    "flows",
    ("grain", "starts", "book", "stream", "kind", "internal", "asset", "state", "billions", "rest"),
    _ADD_PARTS,
)


class Numbered(Protocol):
    """What the numbers on a ledger's rows stand for.

    Attributes:
        parties: Book and stream of each origin.
        earning: Kind of each account of income and cost, and whether it is between instances.
    """

    parties: dict[int, tuple[str, str]]
    earning: dict[int, tuple[str, bool]]


def split(units: int) -> tuple[int, int]:
    """Return a number's two parts."""
    return divmod(units, PART)


def join(billions: int, rest: int) -> int:
    """Return the number of two parts, or of sums of each."""
    return billions * PART + rest


def insert(connection: sqlite3.Connection, state: str, moved: Mapping[Place, int], numbered: Numbered) -> None:
    """Move balances, sums and flows, inside the transaction that is open.

    Args:
        connection: The ledger.
        state: What the postings count as.
        moved: Units by place.
        numbered: What the numbers stand for.

    Raises:
        sqlite3.IntegrityError, OverflowError: A balance is out of range.
        sqlite3.Error: They cannot be written.
    """
    days: dict[Place, int] = {}
    sums: dict[tuple[int, int, str], int] = {}
    flows: dict[Flow, int] = {}
    parties, earning = numbered.parties, numbered.earning
    for (origin, account, asset, hour), units in moved.items():
        day = (origin, account, asset, hour[:DAY_CHARS])
        days[day] = days.get(day, 0) + units
        total = (origin, account, asset)
        sums[total] = sums.get(total, 0) + units
        if (earns := earning.get(account)) is not None:
            for flow in flows_of(hour, parties[origin], earns, asset, state):
                flows[flow] = flows.get(flow, 0) + units
    _MOVE_BALANCES.run(connection, [v for (o, a, asset, day), u in days.items() for v in (o, a, asset, state, day, u)])
    _MOVE_SUMS.run(connection, [v for place, units in sums.items() for v in (*place, state, *split(units))])
    _MOVE_FLOWS.run(connection, _flat((*flow, *split(units)) for flow, units in flows.items()))


def flows_of(hour: str, party: tuple[str, str], earns: tuple[str, bool], asset: str, state: str) -> tuple[Flow, Flow]:
    """Return where a posting to income or cost counts: in its hour and in its day."""
    book, stream = party
    kind, internal = earns
    return (
        ("hour", hour, book, stream, kind, int(internal), asset, state),
        ("day", hour[:DAY_CHARS], book, stream, kind, int(internal), asset, state),
    )


def _flat(rows: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [value for row in rows for value in row]
