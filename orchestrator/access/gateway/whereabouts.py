"""Where the gateway is found. Light: the command socket's methods import it."""

from __future__ import annotations

import msgspec


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
