from __future__ import annotations

import logging
from typing import Any

import pytest

from actors import ActorSystem, DeadLetter, StopChild
from actors.testing import Probe
from tests.actors.cast import Add, Crash, Deny, Player, settle


async def stopped(system: ActorSystem) -> Any:
    ref = await system.spawn(Player, name="player")
    await system.root.ask(StopChild("player"), timeout=5)
    return ref


async def test_a_dead_letter_says_what_where_and_why(system: ActorSystem, events: Probe) -> None:
    ref = await stopped(system)
    events.skip()
    ref.tell(Add(1))
    letter = await events.expect(DeadLetter)
    assert (letter.path, letter.message, letter.reason, letter.error) == ("/player", Add(1), "stopped", None)
    assert letter.at.tzinfo is not None


async def test_a_failure_and_an_unasked_refusal_come_with_their_errors(system: ActorSystem) -> None:
    ref: Any = await system.spawn(Player, name="player")
    ref.tell(Deny())
    ref.tell(Crash("bad"))
    await settle(5)
    letters = list(system.dead_letters.newest)
    assert [(letter.reason, str(letter.error)) for letter in letters] == [("refused", "not today"), ("failed", "bad")]
    assert system.dead_letters.counts == {"refused": 1, "failed": 1}


async def test_only_the_newest_hundred_are_kept_and_all_are_counted(system: ActorSystem) -> None:
    ref = await stopped(system)
    for n in range(1000):
        ref.tell(Add(n))
    assert system.dead_letters.counts == {"stopped": 1000}
    assert [letter.message.n for letter in system.dead_letters.newest] == list(range(900, 1000))


async def test_the_log_is_rate_limited_and_says_what_it_left_out(
    system: ActorSystem, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await stopped(system)
    with caplog.at_level(logging.WARNING, "actors.dead_letters"):
        for n in range(1000):
            ref.tell(Add(n))
        assert len(caplog.records) == 10
        assert caplog.records[0].message == "dead letter for /player: Add (stopped)"
        await settle(10)
        ref.tell(Add(0))
        assert [record.message for record in caplog.records[10:]] == [
            "990 more dead letters were not logged",
            "dead letter for /player: Add (stopped)",
        ]
