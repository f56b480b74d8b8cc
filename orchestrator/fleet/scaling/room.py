"""Where there is room for more instances, and for how many.

One process is the whole system today, so there are two places: its event loop, which is one core whatever else the
machine has, and the other cores, for streams that run isolated by process. What is reached over a network later is
one more `Room`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from config.auto_scaling import AutoScaling
from config.fleet import Isolation
from orchestrator.fleet.scaling.figures import Figures

LEAST_CORES: Final = 0.0005
"""What an instance is reckoned to take of a core at least: an idle fleet would otherwise seem to be free of charge."""

LEAST_BYTES: Final[dict[Isolation, int]] = {"actor": 256 * 1024, "process": 48 * 1024 * 1024}
"""The same for memory; a process brings an interpreter of its own."""


UNLIMITED: Final = 10_000.0
"""Instances that there is room for where no signal counts that would limit them."""


class Place(msgspec.Struct, frozen=True):
    """Somewhere that instances can run.

    Attributes:
        name: What it is called: `loop`, `cores`.
        takes: Streams of which isolation it takes.
        instances: How many more it has room for.
        narrowest: What ends first there, in words.
    """

    name: str
    takes: Isolation
    instances: int
    narrowest: str


class Room(Protocol):
    """Knows where instances can be added."""

    def places(self, figures: Figures, settings: AutoScaling) -> tuple[Place, ...]:
        """Return all places, those that are full included.

        Args:
            figures: What was measured.
            settings: How full they may become, and which signals count.
        """


class ThisMachine:
    """The room in this process and on the cores beside it, reckoned from what an instance takes on average."""

    def places(self, figures: Figures, settings: AutoScaling) -> tuple[Place, ...]:
        """Return the loop and the other cores; nothing where it is not known how full they are."""
        if figures.missing(settings.signals):
            return ()
        return (
            _narrowest("loop", "actor", list(_limits(figures, settings, "actor"))),
            _narrowest("cores", "process", list(_limits(figures, settings, "process"))),
        )


def cores_each(figures: Figures) -> float:
    """Return how much of a core one instance takes."""
    used = figures.fleet_cores if figures.fleet_cores is not None else figures.loop or 0.0
    return max(LEAST_CORES, used / max(1, figures.instances or 0))


def loop_each(figures: Figures) -> float:
    """Return how much of the loop's time one instance takes."""
    return max(LEAST_CORES, (figures.loop or 0.0) / max(1, figures.instances or 0))


def bytes_each(figures: Figures, isolation: Isolation) -> float:
    """Return how much memory one instance takes."""
    return max(LEAST_BYTES[isolation], (figures.fleet_memory_bytes or 0) / max(1, figures.instances or 0))


def _limits(figures: Figures, settings: AutoScaling, isolation: Isolation) -> Iterator[tuple[float, str]]:
    """Yield for how many instances each resource suffices, and how full it is."""
    full, signals = settings.full, settings.signals
    if isolation == "actor" and "loop" in signals and figures.loop is not None:
        yield (full - figures.loop) / loop_each(figures), f"the event loop is {percent(figures.loop)} busy"
    if "cpu" in signals and figures.cpu is not None:
        free = (full - figures.cpu) * (figures.cores or 1.0)
        yield free / cores_each(figures), f"the processors are {percent(figures.cpu)} in use"
    if "memory" in signals and figures.memory is not None and figures.memory_limit_bytes is not None:
        free = (full - figures.memory) * figures.memory_limit_bytes
        yield free / bytes_each(figures, isolation), f"memory is {percent(figures.memory)} in use"


def _narrowest(name: str, takes: Isolation, limits: list[tuple[float, str]]) -> Place:
    instances, why = min(limits, default=(UNLIMITED, "nothing is known that would limit it"))
    # Half a thousandth of an instance is an error of rounding, not a lack of room.
    return Place(name, takes, max(0, int(instances + 0.0005)), why)


def percent(share: float) -> str:
    """Return a share as people read it."""
    return f"{100 * share:.3g} %"
