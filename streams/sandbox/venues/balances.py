"""Who has what on a venue. What one gains another loses; nobody but the rest of the world can owe anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

MARKET: Final = "market"
"""The makers, who stand for the rest of the world: their balance is what came from there, and may be negative."""

FEES: Final = "fees"
"""The venue's till."""


class Balance(msgspec.Struct, frozen=True):
    """Units of one asset.

    Attributes:
        free: What can be spent.
        held: What open orders have been promised.
    """

    free: int = 0
    held: int = 0

    @property
    def total(self) -> int:
        """Both."""
        return self.free + self.held


class Overdrawn(AssertionError):
    """The venue's own arithmetic is wrong: a balance would have become negative."""


_NOTHING: Final = Balance()


class Balances:
    """The balances of all accounts of a venue, in units of each asset."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Balance] = {}
        self.changed: set[tuple[str, str]] = set()

    def of(self, account: str, asset: str) -> Balance:
        """Return an account's balance of an asset."""
        return self._rows.get((account, asset), _NOTHING)

    def rows(self) -> Iterator[tuple[str, str, Balance]]:
        """Yield account, asset and balance."""
        for (account, asset), balance in self._rows.items():
            yield account, asset, balance

    def restore(self, account: str, asset: str, balance: Balance) -> None:
        """Set a balance that was stored."""
        self._rows[account, asset] = balance

    def move(self, payer: str, payee: str, asset: str, units: int) -> None:
        """Move free units from one account to another."""
        self._add(payer, asset, -units, 0)
        self._add(payee, asset, units, 0)

    def hold(self, account: str, asset: str, units: int) -> None:
        """Promise free units to an order; give them back where `units` is negative."""
        self._add(account, asset, -units, units)

    def _add(self, account: str, asset: str, free: int, held: int) -> None:
        old = self.of(account, asset)
        new = Balance(old.free + free, old.held + held)
        if account != MARKET and (new.free < 0 or new.held < 0):
            raise Overdrawn(f"{account} would have {new.free} {asset} free and {new.held} held")
        self._rows[account, asset] = new
        self.changed.add((account, asset))
