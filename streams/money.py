"""Money as integers in a declared scale, and its decimal text.

An amount is a whole number of *units* of an asset; the asset's scale says how many decimal places one
unit stands for. Floats never appear: text goes to units and back exactly, or an error is raised.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

MAX_UNITS: Final = 2**63 - 1
"""Largest amount that a ledger row holds (SQLite's signed 64-bit integer)."""

_MAX_DIGITS: Final = len(str(MAX_UNITS))
_SHOWN: Final = 40


class Asset(msgspec.Struct, frozen=True):
    """Something that is counted: a currency or a coin.

    Attributes:
        code: The ticker, ISO 4217 for currencies.
        scale: Decimal places of one unit; chosen once, never changed.
        minor_digits: Places that people always see (ISO 4217's minor unit for currencies).
    """

    code: str
    scale: int
    minor_digits: int


# Prices of single calls are fractions of a cent, hence six places for currencies. 64-bit rows still hold
# nine trillion dollars, or 92 billion coins.
ASSETS: Final[dict[str, Asset]] = {
    asset.code: asset
    for asset in (
        Asset("USD", 6, 2),
        Asset("EUR", 6, 2),
        Asset("GBP", 6, 2),
        Asset("USDT", 6, 2),
        Asset("USDC", 6, 2),
        Asset("BTC", 8, 8),
        Asset("ETH", 8, 8),
        Asset("SOL", 8, 8),
        Asset("XRP", 8, 8),
        Asset("LTC", 8, 8),
        Asset("ADA", 8, 8),
        Asset("DOGE", 8, 8),
        Asset("DOT", 8, 8),
        Asset("LINK", 8, 8),
        Asset("BNB", 8, 8),
    )
}


class UnknownAssetError(ValueError):
    """An asset code that has no declared scale."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no asset {code!r} is declared; known are {', '.join(sorted(ASSETS))}")
        self.code = code


class AmountError(ValueError):
    """Text that is not an exact amount of an asset."""


def asset_of(code: str) -> Asset:
    """Return the declared asset of a code.

    Raises:
        UnknownAssetError: No asset of that code is declared.
    """
    try:
        return ASSETS[code]
    except KeyError:
        raise UnknownAssetError(code) from None


def parse_amount(text: str, code: str) -> int:
    """Return the units that a decimal text stands for.

    Raises:
        UnknownAssetError: No asset of that code is declared.
        AmountError: The text is not a number, is finer than the asset's scale, or is out of range.
    """
    asset = asset_of(code)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise AmountError(f"{_shown(text)} is not a decimal amount of {code}") from None
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise AmountError(f"{_shown(text)} is not a decimal amount of {code}")
    if not value:
        return 0
    # By its digits, for arithmetic would round what is longer than the decimal context's precision.
    if value.adjusted() + asset.scale > _MAX_DIGITS:
        raise AmountError(f"{_shown(text)} {code} is beyond what a ledger row holds")
    shift = exponent + asset.scale
    if shift < 0 and any(digits[shift:]):
        raise AmountError(f"{_shown(text)} has more than the {asset.scale} decimal places of {code}")
    kept = digits[:shift] if shift < 0 else digits
    units: int = int("".join(map(str, kept))) * 10 ** max(shift, 0)
    if units > MAX_UNITS:
        raise AmountError(f"{_shown(text)} {code} is beyond what a ledger row holds")
    return -units if sign else units


def _shown(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}…"


def format_amount(units: int, code: str) -> str:
    """Return the shortest exact decimal text, with at least the asset's usual places: `0.002`, `12.30`."""
    asset = asset_of(code)
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**asset.scale)
    digits = f"{fraction:0{asset.scale}d}".rstrip("0").ljust(asset.minor_digits, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
