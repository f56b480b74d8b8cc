"""The shares that are in force, and what each instance had of them over a period."""

from __future__ import annotations

from collections.abc import Mapping

from streams.turns import Shares


class Tenure:
    """Puts shares in force, and keeps account of them; the same one for every life of the profit maximizer.

    Args:
        shares: Where they take effect.

    Attributes:
        in_force: By instance, 1 for an equal one. Who is not named has an equal one.
        base: Those with which the period began; shares keep within a step of them until it is over.
    """

    def __init__(self, shares: Shares) -> None:
        self.in_force: dict[str, float] = {}
        self.base: dict[str, float] = {}
        self._shares = shares
        self._held: dict[str, float] = {}
        self._total_s = 0.0
        self._noted_s = 0.0
        self._waited = 0

    def begin(self, now_s: float) -> None:
        """Begin a period, with the shares that are in force.

        Args:
            now_s: The time, monotonic.
        """
        self.base = self.in_force
        self._held, self._total_s, self._noted_s = {}, 0.0, now_s
        self._waited = self._waited_so_far()

    @property
    def waited(self) -> int:
        """How often work had to wait for its turn since the period began."""
        return self._waited_so_far() - self._waited

    def put_in_force(self, shares: Mapping[str, float], now_s: float) -> None:
        """Have shares take effect."""
        self._note(now_s)
        self.in_force = {name: share for name, share in shares.items() if share > 0}
        self._shares.weigh(self.in_force)

    def average(self, now_s: float) -> dict[str, float]:
        """Return what each instance has had on average since the period began."""
        self._note(now_s)
        if self._total_s <= 0:
            return dict(self.in_force)
        return {instance: held / self._total_s for instance, held in self._held.items()}

    def resize(self, requests: int, errands: int) -> None:
        """Set how many places there are to share."""
        self._shares.requests.places = requests
        self._shares.errands.places = errands

    def _waited_so_far(self) -> int:
        return self._shares.requests.waited + self._shares.errands.waited

    def _note(self, now_s: float) -> None:
        lasted_s, self._noted_s = now_s - self._noted_s, now_s
        self._total_s += lasted_s
        held = self._held
        for instance, share in self.in_force.items():
            held[instance] = held.get(instance, 0.0) + share * lasted_s
