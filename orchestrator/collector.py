"""Python's garbage collector, kept from walking again and again through what stands for good.

A full collection holds the loop for as long as it takes to look at every object: a third of a second where ten thousand
instances stand. What stands is set aside instead, after the start and while many instances come up together.
"""

from __future__ import annotations

import gc
from typing import Final

from orchestrator.events import Event, EventBus

MANY: Final = 100
"""From this many instances on, a rollout's are set aside. Those of fewer are not worth what may be set aside with them:
garbage of that moment, which is never collected then."""

_AT_A_TIME: Final = 250


def settle() -> None:
    """Set aside all that the start has made, and begin to collect."""
    gc.collect()
    gc.freeze()
    gc.enable()


class LargeRollouts:
    """Sets aside what large rollouts make, as they go.

    Args:
        events: Where they are told of.
    """

    def __init__(self, events: EventBus) -> None:
        self._under_way: set[str] = set()
        self._ready = 0
        events.subscribe(("rollout.*", "instance.ready"), self._heed)

    def _heed(self, event: Event) -> None:
        if event.name == "instance.ready":
            if self._under_way:
                self._ready += 1
                if self._ready % _AT_A_TIME == 0:
                    gc.freeze()
            return
        rollout = event.fields.get("rollout", "")
        if event.name == "rollout.started":
            if event.fields.get("total", 0) >= MANY:
                self._under_way.add(rollout)
        elif event.name in _ENDS and rollout in self._under_way:
            self._under_way.discard(rollout)
            gc.freeze()


_ENDS: Final = frozenset({"rollout.completed", "rollout.incomplete", "rollout.rolled_back", "rollout.aborted"})
