"""Who stands on the other side of the streams in the sandbox: names, addresses, and how one is known there."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class FarSide(msgspec.Struct, frozen=True):
    """A server of the paper world.

    Attributes:
        name: What it is and which: `venue.kraken`, `site.gazette`, `network.acme`.
        url: Where it is, without a slash at the end.
        credentials: What its customers are known by there: secrets, of paper.
    """

    name: str
    url: str
    credentials: dict[str, str] = {}


class FarSides:
    """The far sides that are there now. Live, there are none: the addresses are the world's own.

    Attributes:
        on_change: Called whenever one comes or goes.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, FarSide] = {}
        self.on_change: Callable[[], object] | None = None

    def find(self, name: str) -> FarSide | None:
        """Return a far side by its name; None where there is none now."""
        return self._by_name.get(name)

    def all(self) -> tuple[FarSide, ...]:
        """Return all of them, by name."""
        return tuple(far_side for _, far_side in sorted(self._by_name.items()))

    def add(self, far_side: FarSide) -> None:
        """Make one known; it takes the place of a former one of that name."""
        self._by_name[far_side.name] = far_side
        self._tell()

    def remove(self, name: str) -> None:
        """Forget one; nothing happens where there is none."""
        if self._by_name.pop(name, None) is not None:
            self._tell()

    def _tell(self) -> None:
        if self.on_change is not None:
            self.on_change()
