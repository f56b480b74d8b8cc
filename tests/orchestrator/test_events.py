"""The event bus."""

from __future__ import annotations

from orchestrator.events import Event, EventBus


def test_a_subscriber_gets_the_events_of_its_topics_and_no_others() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("instance.*", "ledger.booked"), seen.append)
    for name in ("instance.ready", "rollout.started", "ledger.booked", "instances"):
        bus.hand_out(name, {"id": name})
    assert [event.name for event in seen] == ["instance.ready", "ledger.booked"]
    assert seen[0].fields == {"id": "instance.ready"}


def test_a_subscriber_that_matches_twice_gets_an_event_once() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("*", "instance.ready"), seen.append)
    bus.hand_out("instance.ready", {})
    assert len(seen) == 1


def test_a_subscription_ends_when_it_is_called_off_and_again_harmlessly() -> None:
    bus, seen = EventBus(), []
    end = bus.subscribe(("*",), seen.append)
    assert bus.wanted("anything")
    end()
    end()
    bus.hand_out("anything", {})
    assert not seen
    assert not bus.wanted("anything")


def test_a_subscriber_that_fails_does_not_disturb_the_others() -> None:
    bus, seen = EventBus(), []

    def fail(event: Event) -> None:
        raise RuntimeError("mine")

    bus.subscribe(("*",), fail)
    bus.subscribe(("*",), seen.append)
    bus.publish("instance.ready", instance="x-001")
    assert [event.name for event in seen] == ["instance.ready"]


def test_the_exception_behind_an_event_goes_to_the_log_only() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("*",), seen.append)
    bus.publish("instance.crashed", "error", cause=ValueError("why"), instance="x-001")
    assert seen[0].fields == {"instance": "x-001"}


def test_topics_are_patterns_of_the_shell_each_on_its_own() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(("instance.*", "a|b", "rollout.[!c]*", "odd["), seen.append)
    for name in ("instance.ready", "a", "b", "a|b", "rollout.completed", "rollout.started", "odd[", "xinstance.ready"):
        bus.hand_out(name, {})
    assert [event.name for event in seen] == ["instance.ready", "a|b", "rollout.started", "odd["]
