"""Prices and amounts as integers, read exactly from what venues write.

An amount of anything, coin or currency, is a whole number of 10⁻⁸; a price is a whole number of 10⁻¹⁶. Their
product, a cost before rounding, is exact. Wherever something has to be rounded, it is rounded against us, and
the caller says which way that is.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final, Literal, TypeAlias

AMOUNT_SCALE: Final = 8
"""Decimal places of an amount. No venue trades finer; balances that are kept finer are rounded down."""

PRICE_SCALE: Final = 16
"""Decimal places of a price: prices that were converted from another currency have that many."""

PRICE_ONE: Final = 10**PRICE_SCALE
PPM: Final = 1_000_000
"""Fees are whole parts per million."""

Rounding: TypeAlias = Literal["exact", "down", "up"]

_LONGEST: Final = 60


class NotExact(ValueError):
    """Text that is no plain number, or is finer than can be held."""


def read_units(value: object, scale: int, rounding: Rounding = "exact") -> int:
    """Return the whole number of 10⁻ˢᶜᵃˡᵉ that a decimal text stands for.

    Args:
        value: Decimal text. A float is taken by its shortest text, which is what the venue wrote as long as that
            had up to 15 digits; integers and `Decimal` are exact.
        scale: Decimal places.
        rounding: What to do with further places: refuse them, or round towards or away from zero.

    Raises:
        NotExact: It is no number, or has further places that are not zero and must be exact.
    """
    text = value if type(value) is str else repr(value) if type(value) is float else str(value)
    whole, _, fraction = text.partition(".")
    if len(fraction) <= scale and whole.isdecimal() and (not fraction or fraction.isdecimal()) and len(text) < _LONGEST:
        return int(whole + fraction.ljust(scale, "0"))
    return _read_slowly(text, scale, rounding)


def _read_slowly(text: str, scale: int, rounding: Rounding) -> int:
    """Read signs, exponents and what is finer than the scale."""
    if len(text) > _LONGEST or "_" in text:
        raise NotExact(f"{text[:_LONGEST]!r} is no amount")
    try:
        sign, digits, exponent = Decimal(text.strip()).as_tuple()
    except InvalidOperation:
        raise NotExact(f"{text!r} is no number") from None
    if not isinstance(exponent, int) or abs(exponent) > _LONGEST:
        raise NotExact(f"{text!r} is no amount")
    units = int("".join(map(str, digits)))
    shift = exponent + scale
    if shift >= 0:
        units *= int(10**shift)
    else:
        units, rest = divmod(units, int(10**-shift))
        if rest and rounding == "exact":
            raise NotExact(f"{text!r} has more than {scale} decimal places")
        if rest and rounding == "up":
            units += 1
    return -units if sign else units


def read_price(value: object) -> int:
    """Return a price in units. Raises `NotExact`."""
    return read_units(value, PRICE_SCALE)


def read_amount(value: object, rounding: Rounding = "down") -> int:
    """Return an amount in units. Raises `NotExact`."""
    return read_units(value, AMOUNT_SCALE, rounding)


def show_units(units: int, scale: int) -> str:
    """Return the shortest exact decimal text, without an exponent."""
    sign = "-" if units < 0 else ""
    whole, fraction = divmod(abs(units), 10**scale)
    digits = f"{fraction:0{scale}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def show_price(units: int) -> str:
    """Return a price as decimal text."""
    return show_units(units, PRICE_SCALE)


def show_amount(units: int) -> str:
    """Return an amount as decimal text."""
    return show_units(units, AMOUNT_SCALE)


def ceil_div(dividend: int, divisor: int) -> int:
    """Divide, and round up; the divisor is positive."""
    return -(-dividend // divisor)


def down_to(units: int, step: int) -> int:
    """Return the largest multiple of a step that is not more."""
    return units - units % step


def up_to(units: int, step: int) -> int:
    """Return the smallest multiple of a step that is not less."""
    return units + -units % step
