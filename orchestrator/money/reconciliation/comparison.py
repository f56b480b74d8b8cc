"""Which lines of a statement are booked, which are not, and which differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Literal, TypeAlias

import msgspec

from orchestrator.money.reconciliation.account import Movement
from orchestrator.money.reconciliation.statement import StatementLine
from streams.booking import BookName
from streams.money import format_amount, parse_amount

Finding: TypeAlias = Literal["matched", "matched_by_amount", "differs", "not_in_ledger", "not_in_statement"]
"""`matched_by_amount`: no name in common, but the amount, and the day nearly."""

DIFFERENCES: frozenset[Finding] = frozenset({"differs", "not_in_ledger", "not_in_statement"})

_Key: TypeAlias = tuple[str, str]
"""Asset and id."""


class Item(msgspec.Struct, frozen=True):
    """What was compared.

    Attributes:
        finding: What came of it.
        id: What the source calls it; the ledger's evidence has the same name.
        asset: The asset's code.
        statement: What the statement says, decimal text; None where it says nothing.
        ledger: What the ledger says; None where it says nothing.
        difference: The statement less the ledger.
        day: When, by the statement, or else by the ledger.
        lines: The statement's lines.
        transactions: The ledger's transactions.
    """

    finding: Finding
    id: str
    asset: str
    statement: str | None
    ledger: str | None
    difference: str
    day: date | None
    lines: tuple[int, ...]
    transactions: tuple[str, ...]


class AssetSums(msgspec.Struct, frozen=True):
    """What was compared in one asset, added up; decimal text."""

    asset: str
    statement: str
    ledger: str
    difference: str


class Reconciliation(msgspec.Struct, frozen=True):
    """An account beside a statement.

    Attributes:
        account: The account.
        book: Its book.
        since: The first day that was compared; None where the statement has no days.
        until: The last one.
        counts: How many items, by finding.
        sums: What both add up to.
        items: All that was compared, differences first.
    """

    account: str
    book: BookName
    since: date | None
    until: date | None
    counts: dict[Finding, int]
    sums: tuple[AssetSums, ...]
    items: tuple[Item, ...]

    @property
    def agrees(self) -> bool:
        """Whether there is no difference."""
        return not DIFFERENCES & self.counts.keys()


def period_of(lines: Iterable[StatementLine]) -> tuple[date | None, date | None]:
    """Return the first and the last day of a statement; None where not all its lines have one."""
    days = [line.day for line in lines]
    known = [day for day in days if day is not None]
    return (min(known), max(known)) if known and len(known) == len(days) else (None, None)


def compare(
    lines: Sequence[StatementLine],
    movements: Iterable[Movement],
    *,
    account: str,
    book: BookName,
    since: date | None,
    until: date | None,
    days_apart: int,
) -> Reconciliation:
    """Compare by name, then what is left by amount and day.

    Args:
        lines: The statement.
        movements: The account's, from `days_apart` days before `since` to as many after `until`: what the source
            books a day later is found so. Those outside are no difference where nothing matches them.
        account: The account.
        book: Its book.
        since: The first day of the statement.
        until: Its last day.
        days_apart: How many days may lie between what matches by amount.
    """
    said: defaultdict[_Key, list[StatementLine]] = defaultdict(list)
    booked: defaultdict[_Key, list[Movement]] = defaultdict(list)
    for line in lines:
        # What has no name stands by itself.
        said[line.asset, line.id or f"\n{line.number}"].append(line)
    for movement in movements:
        booked[movement.asset, movement.id].append(movement)
    items = [_named(said.pop(key), booked.pop(key)) for key in [key for key in said if key in booked]]
    items += _by_amount(said, booked, days_apart)
    items += [_item("not_in_ledger", its_lines, []) for its_lines in said.values()]
    for moved in booked.values():
        if any(_within(movement.day, since, until) for movement in moved):
            items.append(_item("not_in_statement", [], moved))
    items.sort(key=lambda item: (item.finding not in DIFFERENCES, item.day or date.min, item.id))
    counts: dict[Finding, int] = {}
    for item in items:
        counts[item.finding] = counts.get(item.finding, 0) + 1
    return Reconciliation(account, book, since, until, counts, _sums(items), tuple(items))


def _named(lines: list[StatementLine], moved: list[Movement]) -> Item:
    agrees = sum(line.units for line in lines) == sum(movement.units for movement in moved)
    return _item("matched" if agrees else "differs", lines, moved)


def _by_amount(
    said: dict[_Key, list[StatementLine]], booked: dict[_Key, list[Movement]], days_apart: int
) -> list[Item]:
    """Take out of both what has the same amount on days that are near, the nearest first."""
    candidates: defaultdict[tuple[str, int], list[_Key]] = defaultdict(list)
    for key, moved in booked.items():
        candidates[key[0], sum(movement.units for movement in moved)].append(key)
    pairs = []
    for key, lines in said.items():
        day = lines[0].day
        if day is None:
            continue
        for other in candidates.get((key[0], sum(line.units for line in lines)), ()):
            apart = abs(booked[other][0].day - day)
            if apart <= timedelta(days=days_apart):
                pairs.append((apart, lines[0].number, booked[other][0].sequence, key, other))
    return [
        _item("matched_by_amount", said.pop(key), booked.pop(other))
        for *_, key, other in sorted(pairs)
        if key in said and other in booked
    ]


def _item(finding: Finding, lines: list[StatementLine], moved: list[Movement]) -> Item:
    asset = lines[0].asset if lines else moved[0].asset
    statement = sum(line.units for line in lines)
    ledger = sum(movement.units for movement in moved)
    return Item(
        finding,
        (lines[0].id if lines else "") or (moved[0].id if moved else ""),
        asset,
        format_amount(statement, asset) if lines else None,
        format_amount(ledger, asset) if moved else None,
        format_amount(statement - ledger, asset),
        (lines[0].day if lines else None) or (moved[0].day if moved else None),
        tuple(line.number for line in lines),
        tuple(movement.transaction for movement in moved),
    )


def _within(day: date, since: date | None, until: date | None) -> bool:
    return (since is None or since <= day) and (until is None or day <= until)


def _sums(items: Iterable[Item]) -> tuple[AssetSums, ...]:
    sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        for place, amount in enumerate((item.statement, item.ledger)):
            if amount is not None:
                sums[item.asset][place] += parse_amount(amount, item.asset)
    return tuple(
        AssetSums(asset, *(format_amount(units, asset) for units in (said, booked, said - booked)))
        for asset, (said, booked) in sorted(sums.items())
    )
