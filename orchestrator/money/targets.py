"""Transactions read back for the steps that are to be taken with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from orchestrator.money.bulk import BulkSelect
from orchestrator.money.instants import hour_of
from orchestrator.money.steps import Sums, Taken, Target

_SELECT_TARGETS: Final = BulkSelect(
    """
    SELECT target.id, target.sequence, book, stream, instance, target.state, target.occurred_at, expires_at,
           outcome, earlier.id
    FROM transactions AS target
    JOIN origins ON origins.id = target.origin
    LEFT JOIN expiries ON expiries.sequence = target.sequence
    LEFT JOIN steps ON steps.sequence = target.sequence
    LEFT JOIN transactions AS earlier ON earlier.sequence = steps.target
    """,
    "target.id",
)
_SELECT_STEPS: Final = BulkSelect(
    "SELECT target, sequence, outcome, id FROM steps JOIN transactions USING (sequence)", "target"
)
_SELECT_LEGS: Final = BulkSelect(
    "SELECT sequence, name, asset, units FROM postings JOIN accounts ON accounts.id = account", "sequence"
)


def read_targets(
    connection: sqlite3.Connection, ids: Sequence[bytes], before: int | None = None
) -> dict[bytes, Target]:
    """Read transactions with what was done with them; those that there are.

    Args:
        connection: The ledger.
        ids: Their ids.
        before: Tell of them as they stood before this place in the chain.

    Raises:
        sqlite3.Error: The ledger cannot be read.
    """
    targets: dict[int, Target] = {}
    for transaction, sequence, *origin, state, occurred_at, expires_at, outcome, earlier in _SELECT_TARGETS.run(
        connection, ids
    ):
        if before is None or sequence < before:
            took = None if outcome is None else (outcome, earlier)
            hour = hour_of(occurred_at)
            targets[sequence] = Target(transaction, sequence, tuple(origin), state, hour, expires_at, took, {}, {})
    steps = sorted(_SELECT_STEPS.run(connection, list(targets)), key=_place_in_chain)
    units: dict[int, Sums] = {sequence: target.units for sequence, target in targets.items()}
    for target, sequence, outcome, transaction in steps:
        if before is None or sequence < before:
            units[sequence] = {}
            targets[target].taken[outcome] = Taken(transaction, units[sequence])
    for sequence, account, asset, moved in _SELECT_LEGS.run(connection, list(units)):
        place = (account, asset)
        units[sequence][place] = units[sequence].get(place, 0) + moved
    return {target.id: target for target in targets.values()}


def _place_in_chain(step: tuple[int, int, str, bytes]) -> int:
    return step[1]
