"""`fleet_config.json`, `profit`: how the places that instances share are divided among them by what they earn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias

import msgspec

from config.errors import Fault
from config.names import Name

Part: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
"""A part of the whole, 1 for all of it."""


class StreamShare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Between which parts of all places a stream's instances together are kept.

    Attributes:
        min: At least this part.
        max: At most this part.
    """

    min: Part = 0.0
    max: Part = 1.0


class ProfitMaximizing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profit maximizer's rule. What it divides are places: requests and errands that are worked on at a time.

    Attributes:
        interval_s: How long a period is: how often it looks at what was earned, and decides.
        request_slots: Requests of customers that the fleet works on at a time; more wait for their turn.
        errand_slots: The same of errands: fetches, looks at markets with the trip that follows, builds of sites.
        floor: What each instance gets at least, so that it can show what it earns; 1 for an equal share.
        ceiling: What each gets at most; 1 for an equal share.
        step: An instance's share grows and shrinks at most by this factor in a period.
        hysteresis: A share that would change by less than this part stays as it is.
        memory: Weight of a period beside the one after it.
        mature_periods: Periods after which what a period earned counts as complete: money comes late.
        evidence_periods: Periods that must have been seen before multipliers no longer stand for evidence.
        streams: Bounds by stream, for those that are to have any.
    """

    interval_s: Annotated[float, msgspec.Meta(ge=0.2, le=86_400)] = 300.0
    request_slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    errand_slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 32
    floor: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.1
    ceiling: Annotated[float, msgspec.Meta(ge=1, le=10_000)] = 10.0
    step: Annotated[float, msgspec.Meta(gt=1, le=100)] = 1.5
    hysteresis: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.05
    memory: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.96
    mature_periods: Annotated[int, msgspec.Meta(ge=1, le=50)] = 12
    evidence_periods: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    streams: dict[Name, StreamShare] = msgspec.field(default_factory=dict)


def profit_faults(profit: ProfitMaximizing, path: str) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    yield from _stream_faults(profit.streams, f"{path}.streams")


def _stream_faults(streams: Mapping[str, StreamShare], path: str) -> Iterator[Fault]:
    for name, share in streams.items():
        if share.min > share.max:
            yield Fault(f"{path}.{name}.min", f"at most max ({share.max:g})", f"{share.min:g}")
    if (least := sum(share.min for share in streams.values())) > 1 + 1e-9:
        yield Fault(path, "minimums that add up to 1 at most", f"{least:g} in all")
