"""What is traded on which venue: steps, minimums and fees, in whole ticks, lots and units."""

from __future__ import annotations

from typing import Final

import msgspec

from streams.money import asset_of
from streams.sandbox.venues.market.dice import MILLION


class Listing(msgspec.Struct, frozen=True):
    """A pair of assets that is traded on a venue.

    Prices are whole *ticks* (of 10^-price_decimals quote per base), amounts whole *lots* (of 10^-lot_decimals
    base). Both steps together are never finer than the quote asset's unit, so that every cost is exact.

    Attributes:
        symbol: `BTC/USDT`.
        price_decimals: Places of a price.
        lot_decimals: Places of an amount.
        min_lots: The smallest order.
        max_lots: The largest order.
        min_cost_units: The smallest cost of an order, in units of the quote asset.
    """

    symbol: str
    price_decimals: int
    lot_decimals: int
    min_lots: int
    max_lots: int
    min_cost_units: int

    def __post_init__(self) -> None:
        if self.price_decimals + self.lot_decimals > asset_of(self.quote).scale:
            raise ValueError(f"{self.symbol}: tick and lot together are finer than a unit of {self.quote}")
        if self.lot_decimals > asset_of(self.base).scale:
            raise ValueError(f"{self.symbol}: a lot is finer than a unit of {self.base}")

    @property
    def base(self) -> str:
        """What is bought and sold."""
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """What it is paid with."""
        return self.symbol.partition("/")[2]

    def cost_units(self, ticks: int, lots: int) -> int:
        """Return what an amount costs at a price, in units of the quote asset: exactly."""
        return int(ticks * lots * 10 ** (asset_of(self.quote).scale - self.price_decimals - self.lot_decimals))

    def base_units(self, lots: int) -> int:
        """Return the units of the base asset in an amount."""
        return int(lots * 10 ** (asset_of(self.base).scale - self.lot_decimals))


class VenueTerms(msgspec.Struct, frozen=True):
    """How a venue deals.

    Attributes:
        name: `binance`, `kraken`.
        listings: What is traded, by symbol.
        maker_ppm: Fee of orders that rested, millionths.
        taker_ppm: Fee of orders that found their match, millionths.
        fee_on_received: Whether fees are taken off what is received; otherwise always in the quote asset, on top of
            what a purchase costs.
        expire_maker: Whether an order that would meet one of its own account takes that one away; otherwise it is
            itself taken away.
    """

    name: str
    listings: dict[str, Listing]
    maker_ppm: int
    taker_ppm: int
    fee_on_received: bool
    expire_maker: bool

    def fee_units(self, units: int, *, maker: bool) -> int:
        """Return the fee on an amount, rounded up to a whole unit: in the venue's favour."""
        return -(-units * (self.maker_ppm if maker else self.taker_ppm) // MILLION)

    @property
    def assets(self) -> tuple[str, ...]:
        """All assets that are traded, in order."""
        return tuple(sorted({asset for each in self.listings.values() for asset in (each.base, each.quote)}))


def _by_symbol(*listings: Listing) -> dict[str, Listing]:
    return {listing.symbol: listing for listing in listings}


_FIVE_USDT: Final = 5_000_000
_HALF_USD: Final = 500_000

BINANCE: Final = VenueTerms(
    name="binance",
    listings=_by_symbol(
        Listing("BTC/USDT", 2, 4, 1, 90_000_000, _FIVE_USDT),
        Listing("ETH/USDT", 2, 4, 1, 900_000_000, _FIVE_USDT),
        Listing("SOL/USDT", 2, 3, 1, 900_000_000, _FIVE_USDT),
        Listing("XRP/USDT", 4, 1, 1, 92_141_578, _FIVE_USDT),
        Listing("LTC/USDT", 2, 3, 1, 900_000_000, _FIVE_USDT),
        Listing("ETH/BTC", 5, 3, 1, 100_000_000, 10_000),
        Listing("SOL/BTC", 7, 1, 1, 900_000, 10_000),
        Listing("XRP/BTC", 8, 0, 1, 90_000_000, 10_000),
        Listing("LTC/BTC", 6, 2, 1, 10_000_000, 10_000),
        Listing("SOL/ETH", 5, 3, 1, 90_000_000, 100_000),
    ),
    maker_ppm=1_000,
    taker_ppm=1_000,
    fee_on_received=True,
    expire_maker=True,
)

KRAKEN: Final = VenueTerms(
    name="kraken",
    listings=_by_symbol(
        Listing("BTC/USD", 1, 5, 10, 100_000_000, _HALF_USD),
        Listing("ETH/USD", 2, 4, 20, 1_000_000_000, _HALF_USD),
        Listing("USDT/USD", 4, 2, 500, 1_000_000_000, _HALF_USD),
        Listing("BTC/USDT", 1, 5, 10, 100_000_000, _HALF_USD),
        Listing("ETH/USDT", 2, 4, 20, 1_000_000_000, _HALF_USD),
        Listing("SOL/USDT", 2, 4, 200, 1_000_000_000, _HALF_USD),
        Listing("XRP/USDT", 5, 1, 20, 1_000_000_000, _HALF_USD),
        Listing("LTC/USDT", 2, 4, 400, 1_000_000_000, _HALF_USD),
        Listing("ETH/BTC", 5, 3, 2, 1_000_000, 2_000),
        Listing("SOL/BTC", 7, 1, 1, 1_000_000, 2_000),
        Listing("XRP/BTC", 8, 0, 2, 1_000_000_000, 2_000),
        Listing("LTC/BTC", 6, 2, 4, 10_000_000, 2_000),
    ),
    maker_ppm=1_600,
    taker_ppm=2_600,
    fee_on_received=False,
    expire_maker=False,
)
