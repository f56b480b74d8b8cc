from __future__ import annotations

from datetime import UTC, datetime

import pytest

from actors import (
    ActorEvent,
    ActorFailed,
    ActorHasStopped,
    ActorRestarted,
    ActorStarted,
    ActorSystem,
    DeadLetter,
    EventStream,
    RestartChild,
    RestartScheduled,
    StopChild,
)
from actors.testing import Probe
from tests.actors.cast import Crash, Player, settle


async def test_every_change_of_an_actors_life_is_told_in_order(system: ActorSystem, events: Probe) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Crash("bad"))
    await settle(5)
    await system.root.ask(StopChild("player"), timeout=5)
    assert [type(event) for event in events.received] == [
        ActorStarted,
        DeadLetter,
        ActorFailed,
        RestartScheduled,
        ActorRestarted,
        ActorHasStopped,
    ]
    assert {event.path for event in events.received} == {"/player"}
    failed = events.received[2]
    assert (failed.failure.kind, failed.failure.text, failed.failure.message) == ("RuntimeError", "bad", "Crash")
    assert failed.error.__traceback__ is not None
    now = datetime.now(UTC)
    assert all((now - event.at).total_seconds() < 60 for event in events.received)


async def test_a_restart_by_hand_is_a_start_and_not_a_recovery(system: ActorSystem, events: Probe) -> None:
    ref = await system.spawn(Player, name="player")
    ref.tell(Crash())
    await settle(5)
    events.received.clear()
    await system.root.ask(RestartChild("player"), timeout=5)
    assert [type(event) for event in events.received] == [ActorHasStopped, ActorStarted]
    assert ref.vitals().restarts == 1


async def test_stopping_what_is_stopped_tells_nothing(system: ActorSystem, events: Probe) -> None:
    await system.spawn(Player, name="player")
    for _ in range(3):
        await system.root.ask(StopChild("player"), timeout=5)
    assert [type(event) for event in events.received] == [ActorStarted, ActorHasStopped]


def test_a_subscriber_that_raises_is_logged_and_does_not_disturb_others(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: ActorEvent) -> None:
        raise OSError("subscriber")

    stream, probe = EventStream(), Probe()
    stream.subscribe(fail)
    unsubscribe = stream.subscribe(probe.record)
    stream.publish(ActorStarted(path="/a"))
    assert [event.path for event in probe.received] == ["/a"]
    assert "a subscriber of the event stream failed on ActorStarted" in caplog.text
    unsubscribe()
    unsubscribe()
    stream.publish(ActorStarted(path="/b"))
    assert len(probe.received) == 1
