from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import ActorStopped, ActorSystem, MailboxFull
from actors.mailbox import Mailbox, Overflow
from tests.actors.cast import Add, Divide, End, Player, Seen, Sleep, Urgent, settle, tiny

POLICIES: tuple[Overflow, ...] = ("wait", "reject", "drop_oldest", "drop_newest")


async def seen(ref: Any) -> tuple[Any, ...]:
    found: tuple[Any, ...] = await ref.ask(Seen(), timeout=60)
    return found


async def test_urgent_messages_overtake_all_others(system: ActorSystem) -> None:
    ref = await system.spawn(Player, name="player")
    for n in range(5):
        ref.tell(Add(n))
    ref.tell(Urgent(1))
    ref.tell(Urgent(2))
    assert await seen(ref) == ("urgent 1", "urgent 2", 0, 1, 2, 3, 4)


@pytest.mark.parametrize("overflow", POLICIES)
async def test_urgent_messages_find_room_in_a_full_mailbox(system: ActorSystem, overflow: Overflow) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny(overflow)(log), name="player")
    for n in range(3):
        ref.tell(Add(n))
    ref.tell(Urgent(1))
    await settle()
    assert log == ["urgent 1", 0, 1, 2]
    assert not system.dead_letters.counts


async def test_an_urgent_message_overtakes_inside_a_batch(system: ActorSystem) -> None:
    log: list[Any] = []

    class Provoked(Player):
        def add(self, message: Add) -> None:
            super().add(message)
            if message.n == 1:
                self.context.ref.tell(Urgent(1))

    Provoked.functions[Add] = Provoked.add
    ref = await system.spawn(lambda: Provoked(log), name="player")
    for n in range(4):
        ref.tell(Add(n))
    await settle()
    assert log == [0, 1, "urgent 1", 2, 3]


async def test_a_full_mailbox_that_waits_refuses_tell_and_lets_send_wait(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: tiny("wait")(), name="player")
    for n in range(3):
        ref.tell(Add(n))
    with pytest.raises(MailboxFull, match=r"the mailbox of /player is full \(3 messages\)"):
        ref.tell(Add(3))
    sending = asyncio.create_task(ref.send(Add(4)))
    asking = ref.ask(Seen(), timeout=5)
    await sending
    assert await asking == (0, 1, 2)
    assert (await seen(ref)) == (0, 1, 2, 4)
    assert not system.dead_letters.counts


async def test_a_full_mailbox_that_rejects_tells_every_sender(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: tiny("reject")(), name="player")
    for n in range(3):
        ref.tell(Add(n))
    with pytest.raises(MailboxFull):
        ref.tell(Add(3))
    with pytest.raises(MailboxFull):
        await ref.send(Add(3))
    with pytest.raises(MailboxFull):
        await ref.ask(Divide(1, 1), timeout=5)
    assert not system.dead_letters.counts


async def test_drop_oldest_loses_the_first_and_counts_it(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny("drop_oldest")(log), name="player")
    for n in range(5):
        ref.tell(Add(n))
    await settle()
    assert log == [2, 3, 4]
    assert ref.vitals().dropped == 2
    assert system.dead_letters.counts == {"overflow": 2}
    assert [letter.message for letter in system.dead_letters.newest] == [Add(0), Add(1)]


async def test_drop_newest_loses_the_last_and_counts_it(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny("drop_newest")(log), name="player")
    for n in range(5):
        ref.tell(Add(n))
    await ref.send(Add(5))
    await settle()
    assert log == [0, 1, 2]
    assert ref.vitals().dropped == 3
    assert [letter.message for letter in system.dead_letters.newest] == [Add(3), Add(4), Add(5)]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_the_asker_of_a_dropped_request_is_told(system: ActorSystem, overflow: Overflow) -> None:
    ref = await system.spawn(lambda: tiny(overflow)(), name="player")
    asked = [ref.ask(Divide(n, 1), timeout=5) for n in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    lost = [type(answer) for answer in answers if isinstance(answer, Exception)]
    assert lost == [MailboxFull, MailboxFull]
    assert isinstance(answers[0 if overflow == "drop_oldest" else 4], MailboxFull)


async def test_asks_wait_outside_a_full_mailbox_in_their_order(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: tiny("wait")(), name="player")
    assert await asyncio.gather(*(ref.ask(Divide(n, 1), timeout=5) for n in range(10))) == list(range(10))


async def test_a_send_cancelled_before_there_is_room_sends_nothing(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny("wait")(log), name="player")
    ref.tell(Sleep(5))
    await settle()
    for n in range(3):
        ref.tell(Add(n))
    sending = asyncio.create_task(ref.send(Add(99)))
    await settle()
    sending.cancel()
    await settle(10)
    assert log == ["slept 5", 0, 1, 2]


async def test_who_waits_for_room_is_not_overtaken_while_an_async_handler_runs(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny("wait")(log), name="player")
    ref.tell(Sleep(5))
    ref.tell(Add(1))
    ref.tell(Add(2))
    asked = ref.ask(Seen(), timeout=60)
    await settle()  # the handler runs now, and has made room
    with pytest.raises(MailboxFull):
        ref.tell(Add(3))
    assert await asked == ("slept 5", 1, 2)


async def test_a_sender_who_waits_learns_that_the_actor_stopped(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: tiny("wait")(), name="player")
    ref.tell(End())
    ref.tell(Add(1))
    ref.tell(Add(2))
    with pytest.raises(ActorStopped):
        await ref.send(Add(3))


async def test_a_stuck_actor_does_not_gather_requests_that_nobody_waits_for(system: ActorSystem) -> None:
    ref = await system.spawn(lambda: tiny("wait")(), name="player")
    ref.tell(Sleep(20))
    await settle()
    for _ in range(50):
        asked = [ref.ask(Divide(1, 1), timeout=0.1) for _ in range(3)]
        await asyncio.gather(*asked, return_exceptions=True)
    assert ref.vitals().mailbox_depth <= 3 + 3


async def test_messages_from_one_sender_arrive_in_order(system: ActorSystem) -> None:
    log: list[Any] = []
    ref = await system.spawn(lambda: tiny("wait")(log, ""), name="player")

    async def sender(start: int) -> None:
        for n in range(start, start + 40):
            await ref.send(Add(n))

    async with asyncio.TaskGroup() as tasks:
        for start in (0, 100, 200):
            tasks.create_task(sender(start))
    await settle()
    for start in (0, 100, 200):
        assert [n for n in log if start <= n < start + 100] == list(range(start, start + 40))


@given(
    capacity=st.integers(1, 5),
    steps=st.lists(st.sampled_from(["put", "wait", "take", "urgent", "close", "reopen"]), max_size=40),
)
def test_no_entry_is_lost_or_doubled_whatever_happens(capacity: int, steps: list[str]) -> None:
    mailbox = Mailbox(capacity, "wait")
    count, taken = 0, []
    for step in steps:
        count += 1
        if step == "put" and len(mailbox.user) < mailbox.capacity:
            mailbox.user.append(count)
        elif step == "wait" and len(mailbox.user) >= mailbox.capacity >= 0:
            mailbox.wait_for_room(count, None)
        elif step == "urgent" and not mailbox.closed:
            mailbox.put_urgent(count)
        elif step == "take" and mailbox.user:
            taken.append(mailbox.user.popleft())
            mailbox.admit()
        elif step == "close":
            mailbox.close()
            taken += [entry for entry, _ in mailbox.take_all()]
            assert mailbox.depth() == 0
            continue
        else:
            if step == "reopen":
                mailbox.reopen()
            continue
        assert len(mailbox.user) <= capacity
    left = [entry for entry, _ in mailbox.take_all()]
    assert len({*taken, *left}) == len(taken) + len(left)
    assert mailbox.depth() == 0
