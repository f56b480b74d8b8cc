"""Where the gateway is found. Light: the control socket's methods and the command line import it."""

from __future__ import annotations

from typing import Final

import msgspec

TOKEN_NAME: Final = "gateway_token"  # noqa: S105 - the name of its file
"""The token's file, in the directory of the daemon's secrets."""


class GatewayView(msgspec.Struct, frozen=True):
    """Where the gateway is.

    Attributes:
        url: Its address.
        listening: Whether it is there.
        detail: Why it is not.
    """

    url: str
    listening: bool
    detail: str = ""


class Whereabouts:
    """Told by the gateway, in each of its lives; asked by whoever wants to know.

    Attributes:
        view: The last that was told; None where there is no gateway, or not yet.
    """

    def __init__(self) -> None:
        self.view: GatewayView | None = None
