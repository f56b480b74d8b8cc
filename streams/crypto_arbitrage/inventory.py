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

    The venue's own figures and the fills that we are told of must never count the same fill twice. So figures are
    taken up only while no order is on its way, and a fill whose order was sent in a former life, which may be in the
    figures or not, makes them stale instead of changing them.

    Args:
        venue: The venue's name.
    """

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self._balances: dict[str, int] = {}
        self._reserved: dict[str, dict[str, int]] = {}
        self._markets: dict[str, str] = {}
        self._on_their_way: dict[str, float] = {}
        self._moves = 0
        self._stale = False

    @property
    def moves(self) -> int:
        """A number that changes whenever a trade may have changed a balance."""
        return self._moves

    @property
    def stale(self) -> bool:
        """Whether the balances are to be asked for again before anybody relies on them."""
        return self._stale

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

    def sent(self, order: str, now_s: float) -> None:
        """Know that an order is on its way: the venue's figures may have it or not, until it is over.

        Args:
            order: Its client id.
            now_s: The time of some monotonic clock, for `forget`.
        """
        self._moves += 1
        self._on_their_way[order] = now_s

    def gone(self, order: str) -> None:
        """Know that an order came to nothing."""
        self._on_their_way.pop(order, None)

    def forget(self, before_s: float) -> None:
        """Wait no longer for orders that were sent before then: whoever sent them is gone, or asks very long."""
        self._on_their_way = {order: sent_s for order, sent_s in self._on_their_way.items() if sent_s >= before_s}

    def traded(self, trip: str, order: str, changes: Mapping[str, int]) -> None:
        """Take up what a fill has changed, until the venue's own figures are read again.

        What the trip spends is taken from its reservation; what it brings in stays spoken for by it.

        Args:
            trip: The trip's id.
            order: The client id of the order that was filled.
            changes: Signed units by asset.
        """
        self._moves += 1
        known = self._on_their_way.pop(order, None) is not None
        self._stale = self._stale or not known
        reserved = self._reserved.get(trip)
        for asset, units in changes.items():
            if known:
                self._balances[asset] = self._balances.get(asset, 0) + units
            if reserved is not None:
                reserved[asset] = max(0, reserved.get(asset, 0) + units)

    def read(self, balances: Mapping[str, int], moves: int) -> bool:
        """Take up the venue's own figures, unless orders may have changed something since they were asked for.

        Args:
            balances: Units by asset.
            moves: What `moves` was when they were asked for.

        Returns:
            Whether they were taken up.
        """
        if moves != self._moves or self._on_their_way:
            return False
        self._balances = dict(balances)
        self._stale = False
        return True
