from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from orchestrator.collector import LargeRollouts, settle
from orchestrator.events import EventBus


@pytest.fixture(autouse=True)
def _thaw() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_the_start_has_made_is_set_aside_and_collecting_begins() -> None:
    gc.disable()
    settle()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000


def test_what_a_large_rollout_makes_is_set_aside_as_it_goes_and_nothing_of_others() -> None:
    events = EventBus()
    LargeRollouts(events)

    def ready(count: int) -> list[object]:
        made: list[object] = []
        for _ in range(count):
            made.append([made])
            events.publish("instance.ready")
        return made

    gc.collect()
    events.publish("rollout.started", rollout="small", total=99)
    kept = [ready(600)]
    events.publish("rollout.completed", rollout="small")
    assert gc.get_freeze_count() == 0

    events.publish("rollout.started", rollout="large", total=100)
    kept.append(ready(300))
    first = gc.get_freeze_count()
    assert first > 0
    kept.append(ready(100))
    assert gc.get_freeze_count() <= first
    events.publish("rollout.paused", rollout="large")
    assert gc.get_freeze_count() <= first
    events.publish("rollout.completed", rollout="large")
    assert gc.get_freeze_count() > first
    before = gc.get_freeze_count()
    kept.append(ready(600))
    assert gc.get_freeze_count() <= before
