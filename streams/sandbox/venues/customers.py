"""Who trades on a venue, and how the venue knows them: keys and secrets made once, kept in a file of mode 0600."""

from __future__ import annotations

import base64
import secrets
from pathlib import Path
from typing import Final

import msgspec

from config.saving import create_exclusively

FLEET: Final = "fleet"
VISITOR: Final = "visitor"
"""A person with a client of their own."""

_SECRET_BYTES: Final = 64
_KEY_BYTES: Final = 42


class Customer(msgspec.Struct, frozen=True):
    """An account's way in.

    Attributes:
        account: The account.
        api_key: What it says that it is.
        secret: What it signs with; Base64.
    """

    account: str
    api_key: str
    secret: str


# Made at import, by one thread: msgspec crashes the process where two threads meet a type for the first time at once.
_CUSTOMERS: Final = msgspec.json.Decoder(list[Customer])


def open_customers(file: Path) -> dict[str, Customer]:
    """Return the customers by account; they are made with the file, where there is none. Blocks.

    Raises:
        OSError: The file can be neither made nor read.
        msgspec.MsgspecError: It is not what was written.
    """
    customers = [Customer(account, _token(_KEY_BYTES), _token(_SECRET_BYTES)) for account in (FLEET, VISITOR)]
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        create_exclusively(file, msgspec.json.encode(customers))
    except FileExistsError:
        customers = _CUSTOMERS.decode(file.read_bytes())
    return {customer.account: customer for customer in customers}


def _token(size_bytes: int) -> str:
    return base64.b64encode(secrets.token_bytes(size_bytes)).decode("ascii")
