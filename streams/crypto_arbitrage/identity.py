"""Which coin a ticker stands for on which venue: what is not on the list is not traded.

The same ticker is another coin elsewhere often enough, and then it shows the finest "spread" of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from streams.crypto_arbitrage.market import Market


class Identity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An assurance that a venue's asset is the one that everybody means by its ticker.

    Attributes:
        venue: The venue's name.
        asset: The ticker, as the fleet knows it.
        id: What the venue itself calls the asset; tickers are no proof, ids are what was looked up.
    """

    venue: str
    asset: str
    id: str


_SAME_EVERYWHERE: Final = ("USDT", "USDC", "SOL", "ADA", "DOT", "LINK", "BNB")
_KRAKEN: Final = {
    "BTC": ("XXBT", "XBT"),
    "ETH": ("XETH", "ETH"),
    "XRP": ("XXRP", "XRP"),
    "LTC": ("XLTC", "LTC"),
    "DOGE": ("XXDG", "XDG"),
    "USD": ("ZUSD", "USD"),
    "EUR": ("ZEUR", "EUR"),
    "GBP": ("ZGBP", "GBP"),
}
_BINANCE: Final = ("BTC", "ETH", "XRP", "LTC", "DOGE", "EUR", "GBP")

KNOWN: Final = frozenset(
    [
        *(Identity("binance", asset, asset) for asset in (*_BINANCE, *_SAME_EVERYWHERE)),
        *(Identity("kraken", asset, name) for asset, names in _KRAKEN.items() for name in names),
        *(Identity("kraken", asset, asset) for asset in _SAME_EVERYWHERE),
    ]
)
"""What was looked up, by the people who wrote this. Settings may add to it."""


class AllowList:
    """All identities that an instance trusts.

    Args:
        added: What its settings add to `KNOWN`.
    """

    def __init__(self, added: Iterable[Identity] = ()) -> None:
        self._trusted = KNOWN | frozenset(added)

    def trusts(self, market: Market) -> bool:
        """Return whether both assets of a market are what their tickers say."""
        return (
            Identity(market.venue, market.base, market.base_id) in self._trusted
            and Identity(market.venue, market.quote, market.quote_id) in self._trusted
        )
