"""Decimal text to whole ticks and lots and back, exactly."""

from __future__ import annotations

import re
from typing import Final

DECIMAL: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{0,20}))?")


class NotADecimal(ValueError):
    """Text that is not a plain decimal number of moderate length."""


class TooPrecise(ValueError):
    """A number that is finer than its step."""


def steps_of(text: str, places: int) -> int:
    """Return how many steps of 10^-places a number is.

    Raises:
        NotADecimal: It is no number, or an exponent, a sign or a separator is in it.
        TooPrecise: It is not a whole number of steps.
    """
    match = DECIMAL.fullmatch(text)
    if match is None:
        raise NotADecimal(text)
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > places:
        raise TooPrecise(text)
    return int(whole + fraction.ljust(places, "0"))


def text_of(steps: int, places: int, shown: int | None = None) -> str:
    """Return a number of steps of 10^-places as decimal text.

    Args:
        steps: How many.
        places: Their size.
        shown: Decimal places of the text, where they are more than `places`.
    """
    sign = "-" if steps < 0 else ""
    whole, fraction = divmod(abs(steps), 10**places)
    digits = f"{fraction:0{places}d}" if places else ""
    digits = digits.ljust(shown or 0, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
