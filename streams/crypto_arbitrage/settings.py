"""What makes one instance a business of its own: its routes, sizes and limits."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec

from streams.crypto_arbitrage.amounts import AMOUNT_SCALE, read_units
from streams.crypto_arbitrage.gates import GateLimits
from streams.crypto_arbitrage.identity import Identity
from streams.money import UnknownAssetError, asset_of

_NAME: Final = re.compile(r"[a-z0-9_]{2,32}")
_SYMBOL: Final = re.compile(r"[A-Z0-9]{2,12}/[A-Z0-9]{2,12}")
_BASIS_POINT_PPM: Final = 100

Positive = Annotated[float, msgspec.Meta(gt=0)]


class CryptoArbitrageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of an instance; making one validates it.

    Attributes:
        title: What people call it.
        budgets: The most that one trip may spend, decimal text by home asset. A trip begins and ends with one of
            these assets.
        venues: ccxt's ids of the venues; across venues, the first is where `forward` buys.
        symbols: What is traded across venues, `BTC/USDT`.
        direction: Which way across: `forward` buys at an earlier venue of the list and sells at a later one.
        triangle_venues: Where triangles are looked for; some of `venues`.
        triangle_assets: The assets that triangles lead over, besides their home.
        min_profit_bps: The least profit after all costs, hundredths of a percent of what a trip spends.
        max_profit_bps: A profit above it is not believed.
        max_age_s: How old a price may be.
        max_skew_s: How far apart the prices of two legs may have been received.
        max_still_s: How long a venue may answer with a price that does not move.
        max_clock_offset_s: How far a venue's clock may be from ours; beyond it the kill switch opens.
        max_silence_s: How long a venue may say nothing before the kill switch opens.
        max_daily_loss: The loss of a day (UTC) that opens the kill switch, decimal text by home asset.
        max_error_share: The share of failed orders among the last ones that opens the kill switch.
        unwind_s: How long what is left over of a trip may be got rid of.
        max_unwind_loss_bps: It is not sold for less than this below what it has cost.
        pause_s: How long to rest after a trip.
        trips_per_transfer: After how many trips across venues both assets are moved back; each bears its share.
        transfer_fees: What a withdrawal costs, decimal text by asset, where the venue does not say.
        depth_levels: How many levels of a book are asked for; of those that share an account, the most counts.
        poll_s: How often best prices are asked for; of those that share an account, the most often counts.
        rate_limits_ms: The least time between two calls, by venue, where it is not ccxt's; the same for all that
            share an account.
        account: Which account of the venues: names the secrets, `BINANCE_API_KEY` or `BINANCE_<ACCOUNT>_API_KEY`.
        identities: Assets that are trusted to be what their tickers say, besides those that ship.

    Raises:
        ValueError: A value does not make sense; says which, and what would.
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    budgets: dict[str, str]
    venues: tuple[str, ...] = ("binance", "kraken")
    symbols: tuple[str, ...] = ()
    direction: Literal["both", "forward", "backward"] = "both"
    triangle_venues: tuple[str, ...] = ()
    triangle_assets: tuple[str, ...] = ()
    min_profit_bps: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 2.0
    max_profit_bps: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 300.0
    max_age_s: Positive = 2.0
    max_skew_s: Positive = 1.0
    max_still_s: Positive = 60.0
    max_clock_offset_s: Positive = 2.0
    max_silence_s: Positive = 180.0
    max_daily_loss: dict[str, str] = {}
    max_error_share: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.6
    unwind_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    max_unwind_loss_bps: Annotated[float, msgspec.Meta(gt=0, le=5_000)] = 150.0
    pause_s: Annotated[float, msgspec.Meta(ge=0, le=3_600)] = 2.0
    trips_per_transfer: Annotated[int, msgspec.Meta(ge=1)] = 50
    transfer_fees: dict[str, str] = {}
    depth_levels: Annotated[int, msgspec.Meta(ge=1, le=500)] = 20
    poll_s: Annotated[float, msgspec.Meta(ge=0.2, le=60)] = 1.0
    rate_limits_ms: dict[str, int] = {}
    account: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,24}$")] = "default"
    identities: tuple[Identity, ...] = ()

    def __post_init__(self) -> None:
        if not self.budgets:
            raise ValueError('budgets: name at least one home asset and its most, such as {"USDT": "500"}')
        self._check_names()
        for field, amounts in (("budgets", self.budgets), ("max_daily_loss", self.max_daily_loss)):
            for asset, text in amounts.items():
                if _units(f"{field}.{asset}", text, asset) <= 0:
                    raise ValueError(f"{field}.{asset}: must be more than nothing, and {text!r} is not")
        for asset, text in self.transfer_fees.items():
            _units(f"transfer_fees.{asset}", text, asset)
        if not self.symbols and not self.triangle_venues:
            raise ValueError("symbols: name what to trade across venues, or triangle_venues to look for triangles in")
        if self.min_profit_bps >= self.max_profit_bps:
            raise ValueError("max_profit_bps: must be above min_profit_bps")

    def _check_names(self) -> None:
        for venue in self.venues:
            if not _NAME.fullmatch(venue):
                raise ValueError(f"venues: {venue!r} is not one of ccxt's ids, such as 'kraken'")
        if len(set(self.venues)) != len(self.venues) or not self.venues:
            raise ValueError("venues: name each venue once, and at least one")
        for symbol in self.symbols:
            if not _SYMBOL.fullmatch(symbol):
                raise ValueError(f"symbols: {symbol!r} is not written like 'BTC/USDT'")
            if symbol.partition("/")[2] not in self.budgets:
                raise ValueError(f"budgets: {symbol} is paid in {symbol.partition('/')[2]}, which has no budget")
        if self.symbols and len(self.venues) < 2:
            raise ValueError("venues: it takes two venues to trade across")
        for venue in self.triangle_venues:
            if venue not in self.venues:
                raise ValueError(f"triangle_venues: {venue!r} is not among the venues {', '.join(self.venues)}")
        if self.triangle_venues and len(self.triangle_assets) < 2:
            raise ValueError("triangle_assets: a triangle leads over two assets besides its home; name two or more")

    @property
    def homes(self) -> tuple[str, ...]:
        """The assets that trips begin and end with."""
        return tuple(self.budgets)

    @property
    def min_profit_ppm(self) -> int:
        """The least profit, parts per million."""
        return round(self.min_profit_bps * _BASIS_POINT_PPM)

    @property
    def max_unwind_loss_ppm(self) -> int:
        """The greatest loss of an unwinding, parts per million."""
        return round(self.max_unwind_loss_bps * _BASIS_POINT_PPM)

    def budget(self, home: str) -> int:
        """Return the most that one trip may spend; units."""
        return _units("budgets", self.budgets[home], home)

    def loss_limit(self, home: str) -> int | None:
        """Return the loss of a day that opens the kill switch; units, None where there is none."""
        text = self.max_daily_loss.get(home)
        return None if text is None else _units("max_daily_loss", text, home)

    def transfer_fee(self, asset: str) -> int | None:
        """Return what a withdrawal costs; units, None where the venue is to say."""
        text = self.transfer_fees.get(asset)
        return None if text is None else _units("transfer_fees", text, asset)

    def gate_limits(self) -> GateLimits:
        """Return how far is too far."""
        return GateLimits(
            max_age_s=self.max_age_s,
            max_skew_s=self.max_skew_s,
            max_still_s=self.max_still_s,
            max_clock_offset_s=self.max_clock_offset_s,
            max_edge_ppm=round(self.max_profit_bps * _BASIS_POINT_PPM),
        )


def _units(field: str, text: str, asset: str) -> int:
    try:
        asset_of(asset)
        units = read_units(text, AMOUNT_SCALE)
    except (UnknownAssetError, ValueError) as error:
        raise ValueError(f"{field}: {error}") from None
    if units < 0:
        raise ValueError(f"{field}: {text!r} is negative")
    return units
