"""Which instances are shown, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias, get_args

import msgspec

SortBy: TypeAlias = Literal["instance", "state", "net", "restarts"]

SORTS: Final[tuple[SortBy, ...]] = get_args(SortBy)

# What needs a person comes first.
_URGENCY: Final = {
    state: place
    for place, state in enumerate(("failed", "restarting", "starting", "paused", "stopped", "standby", "ready"))
}


class Row(msgspec.Struct, frozen=True):
    """An instance as `fleet.list` has it, as far as it is shown."""

    id: str
    stream: str
    state: str
    host: str
    port: int
    restarts: int
    last_failure: str | None


class Page(msgspec.Struct, frozen=True):
    """Some instances, and where to go on."""

    items: list[Row]
    next_cursor: str | None


Money: TypeAlias = Mapping[str, Decimal]
"""By asset: what was earned less what was spent, posted. Assets are never added together."""


class Selection(msgspec.Struct, frozen=True):
    """What a person wants to see of the fleet.

    Attributes:
        text: Words that all stand somewhere in the row; capitals do not matter.
        state: Only in this state; None for all.
        stream: Only of this stream; None for all.
        sort: What the order follows; equal ones stay in order of their ports.
        descending: Whether it is reversed.
    """

    text: str = ""
    state: str | None = None
    stream: str | None = None
    sort: SortBy = "instance"
    descending: bool = False

    def apply(self, rows: Sequence[Row], money: Mapping[str, Money]) -> list[Row]:
        """Return the rows that are wanted, in order.

        Args:
            rows: All there are, in order of their ports.
            money: What each instance earned.
        """
        kept: Iterable[Row] = rows
        if self.state is not None:
            kept = (row for row in kept if row.state == self.state)
        if self.stream is not None:
            kept = (row for row in kept if row.stream == self.stream)
        if words := self.text.casefold().split():
            kept = (row for row in kept if _has(row, words))
        if self.sort == "instance":
            return list(kept)[:: -1 if self.descending else 1]
        return sorted(kept, key=self._key(money), reverse=self.descending)

    def _key(self, money: Mapping[str, Money]) -> Callable[[Row], Any]:
        if self.sort == "state":
            return lambda row: _URGENCY.get(row.state, -1)
        if self.sort == "restarts":
            return lambda row: row.restarts
        return lambda row: _comparable(money.get(row.id))

    def ordered_by(self, sort: SortBy) -> Selection:
        """Return it ordered by something else; the other way round where it is so ordered already."""
        if sort == self.sort:
            return msgspec.structs.replace(self, descending=not self.descending)
        # Of counts and money, the most is what one looks for.
        return msgspec.structs.replace(self, sort=sort, descending=sort in ("net", "restarts"))


def after(current: str | None, choices: Iterable[str]) -> str | None:
    """Return the choice that follows the current one; None, which is all of them, stands between last and first."""
    ring = [None, *sorted(choices)]
    return ring[(ring.index(current) + 1) % len(ring)] if current in ring else None


def _has(row: Row, words: Sequence[str]) -> bool:
    text = f"{row.id} {row.stream} {row.state} {row.host}:{row.port} {row.last_failure or ''}".casefold()
    return all(word in text for word in words)


def _comparable(money: Money | None) -> tuple[int, str, Decimal]:
    # Amounts compare within one asset alone: those of most instances, dollars, stand together.
    if not money:
        return (0, "", Decimal(0))
    asset = "USD" if "USD" in money else min(money)
    return (2 if asset == "USD" else 1, asset, money[asset])


class _Total(msgspec.Struct, frozen=True):
    asset: str
    kind: str
    state: str
    amount: Decimal
    instance: str = ""


class TotalsByInstance(msgspec.Struct, frozen=True):
    """What `ledger.totals` says of one book, by instance."""

    book: str
    items: list[_Total]

    def net(self) -> dict[str, dict[str, Decimal]]:
        """Return by instance what was earned less what was spent, posted only."""
        money: dict[str, dict[str, Decimal]] = {}
        for item in self.items:
            if item.state == "posted":
                of_one = money.setdefault(item.instance, {})
                amount = item.amount if item.kind == "income" else -item.amount
                of_one[item.asset] = of_one.get(item.asset, Decimal(0)) + amount
        return money


def amounts(money: Money | None) -> str:
    """Return amounts as text, dollars first."""
    if not money:
        return ""
    return ", ".join(f"{money[asset]:f} {asset}" for asset in sorted(money, key=lambda asset: (asset != "USD", asset)))
