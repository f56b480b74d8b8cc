"""What lies on one venue's account, and what of it is spoken for by which trip: across all instances."""

from __future__ import annotations

from collections.abc import Mapping

from actors import Refusal


class InventoryShort(Refusal):
    """There is not as much free as is wanted."""

    def __init__(self, venue: str, asset: str, wanted: int, free: int) -> None:
        super().__init__(f"{venue} has {free} units of {asset} free, {wanted} are wanted")
        self.asset = asset


class AlreadyReserved(Refusal):
    """The trip has a reservation here, or another trip trades in the market that it wants."""

    def __init__(self, venue: str, what: str) -> None:
        super().__init__(f"{what} is reserved on {venue} already")


class Inventory:
    """The balances of one account, and the reservations on them.

    Args:
        venue: The venue's name.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self._balances: dict[str, int] = {}
        self._reserved: dict[str, dict[str, int]] = {}
        self._markets: dict[str, str] = {}
        self._moves = 0

    @property
    def moves(self) -> int:
        """A number that changes whenever a trade changes a balance."""
        return self._moves

    def balances(self) -> dict[str, int]:
        """Return all balances, reserved or not; units."""
        return dict(self._balances)

    def reservations(self) -> dict[str, dict[str, int]]:
        """Return what is reserved, by trip and asset; units."""
        return {trip: dict(wants) for trip, wants in self._reserved.items()}

    def free(self, asset: str) -> int:
        """Return how much of an asset nobody has reserved; units."""
        return self._balances.get(asset, 0) - sum(wants.get(asset, 0) for wants in self._reserved.values())

    def claimed(self, symbol: str) -> bool:
        """Return whether a trip trades in this market now: what the book shows is its to take."""
        return symbol in self._markets

    def reserve(self, trip: str, wants: Mapping[str, int], symbols: tuple[str, ...] = ()) -> None:
        """Reserve assets and markets for a trip: all, or nothing.

        Args:
            trip: The trip's id.
            wants: Units by asset.
            symbols: The markets it is going to trade in.

        Raises:
            InventoryShort: Something is not there.
            AlreadyReserved: The trip has a reservation, or another one trades in one of the markets.
        """
        if trip in self._reserved:
            raise AlreadyReserved(self.venue, trip)
        for symbol in symbols:
            if symbol in self._markets:
                raise AlreadyReserved(self.venue, symbol)
        for asset, wanted in wants.items():
            free = self.free(asset)
            if wanted > free:
                raise InventoryShort(self.venue, asset, wanted, free)
        self._reserved[trip] = dict(wants)
        self._markets.update(dict.fromkeys(symbols, trip))

    def release(self, trip: str) -> None:
        """Give back what a trip has reserved; nothing happens where it has nothing."""
        self._reserved.pop(trip, None)
        self._markets = {symbol: holder for symbol, holder in self._markets.items() if holder != trip}

    def traded(self, trip: str, changes: Mapping[str, int]) -> None:
        """Take up what a fill has changed, until the venue's own figures are read again.

        What the trip spends is taken from its reservation; what it brings in stays spoken for by it.

        Args:
            trip: The trip's id.
            changes: Signed units by asset.
        """
        self._moves += 1
        reserved = self._reserved.get(trip)
        for asset, units in changes.items():
            self._balances[asset] = self._balances.get(asset, 0) + units
            if reserved is not None:
                reserved[asset] = max(0, reserved.get(asset, 0) + units)

    def read(self, balances: Mapping[str, int], moves: int) -> bool:
        """Take up the venue's own figures, unless a trade has changed something since they were asked for.

        Args:
            balances: Units by asset.
            moves: What `moves` was when they were asked for.

        Returns:
            Whether they were taken up.
        """
        if moves != self._moves:
            return False
        self._balances = dict(balances)
        return True
