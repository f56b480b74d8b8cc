"""What the identifier products share: one normal form, and reasons that people understand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Final, TypeAlias

import msgspec

from streams.api_services.product import Output

IdentifierText: TypeAlias = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=64, description="The number as people write it; separators are ignored."),
]

_SEPARATORS: Final = re.compile(r"[\s\-–./]+")
_PLAIN: Final = re.compile(r"[0-9A-Z]+")

NOT_PLAIN: Final = "it holds characters other than letters, digits and separators"


class Checked(Output, frozen=True):
    """The outcome of one check: the normal form, or the reason why there is none."""

    value: str
    reason: str | None


def compact(text: str) -> str:
    """Return the text without separators, in capitals."""
    return _SEPARATORS.sub("", text).upper()


def is_plain(value: str) -> bool:
    """Whether a compact value holds nothing but ASCII letters and digits."""
    return _PLAIN.fullmatch(value) is not None


def check(value: str, validate: Callable[[str], str]) -> Checked:
    """Run one of python-stdnum's `validate` functions on a compact value."""
    if not is_plain(value):
        return Checked(value=value, reason=NOT_PLAIN)
    from stdnum import exceptions

    try:
        return Checked(value=validate(value), reason=None)
    except exceptions.InvalidChecksum:
        return Checked(value=value, reason="the check digits do not match")
    except exceptions.InvalidLength:
        return Checked(value=value, reason="the length is wrong")
    except exceptions.InvalidComponent:
        return Checked(value=value, reason="a part of it is not assigned or not allowed")
    except exceptions.ValidationError:
        return Checked(value=value, reason="the format is wrong")
