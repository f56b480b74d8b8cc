"""The ledger's accounts as beancount writes them, and back.

`income:api_services:api_services-001` of the book paper is `Income:Paper:Api-services:Api-services--001`. What is
pending stands on accounts of its own, whose second part is `Paper-pending`.

Beancount's parts consist of letters, digits and hyphens, and begin with a capital or a digit. So a part's first letter
is written as a capital, and

    _      between a letter or digit and another   -
    -      between a letter or digit and another   --
    .      and any other character                 ---2E, its code in hexadecimal

A part that begins with anything but a small letter or a digit has `X---00` before it. No two names become the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, cast

import msgspec

from streams.booking import BookedState, BookName

_ROOTS: Final = {
    "income": "Income",
    "cost": "Expenses",
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
}
_KINDS: Final = {root: kind for kind, root in _ROOTS.items()}
_PENDING: Final = "-pending"
_AS_IT_IS: Final = "X---00"
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9]")
_ESCAPE: Final = re.compile(r"---([0-9A-F]{2})|--?")
_BETWEEN: Final = {"_": "-", "-": "--"}


class LedgerAccount(msgspec.Struct, frozen=True):
    """An account of the ledger.

    Attributes:
        book: The set of accounts.
        state: What its postings count as.
        name: Its name in the ledger.
    """

    book: BookName
    state: BookedState
    name: str


@lru_cache(maxsize=65_536)
def beancount_account(book: str, state: str, name: str) -> str:
    """Return how beancount writes an account of the ledger."""
    kind, *parts = name.split(":")
    top = book.capitalize() + (_PENDING if state == "pending" else "")
    return ":".join((_ROOTS[kind], top, *map(_encode, parts)))


def ledger_account(written: str) -> LedgerAccount:
    """Return the account of the ledger that beancount writes so.

    Raises:
        ValueError, KeyError: It is not written as `beancount_account` does.
    """
    root, top, *parts = written.split(":")
    book = top.removesuffix(_PENDING)
    account = LedgerAccount(
        cast("BookName", book.lower()),
        "pending" if top != book else "posted",
        ":".join((_KINDS[root], *map(_decode, parts))),
    )
    if beancount_account(account.book, account.state, account.name) != written:
        raise ValueError(f"{written!r} is no account of a ledger")
    return account


def _encode(part: str) -> str:
    written = _SPECIAL.sub(_written, part)
    first = part[0]
    if first.islower():
        return first.upper() + written[1:]
    return written if first.isdigit() else _AS_IT_IS + written


def _written(found: re.Match[str]) -> str:
    part, place, character = found.string, found.start(), found[0]
    stands_between = 0 < place < len(part) - 1 and part[place - 1].isalnum() and part[place + 1].isalnum()
    return _BETWEEN[character] if stands_between and character in _BETWEEN else f"---{ord(character):02X}"


def _decode(written: str) -> str:
    as_it_is = written.removeprefix(_AS_IT_IS)
    part = _ESCAPE.sub(_meant, as_it_is)
    return part if as_it_is != written else written[0].lower() + part[1:]


def _meant(found: re.Match[str]) -> str:
    if found[1]:
        return chr(int(found[1], 16))
    return "_" if found[0] == "-" else "-"
