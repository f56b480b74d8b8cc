"""Whatever is sent, crashed, stopped and restarted in whatever order: nothing is lost, and nothing is left."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from actors import (
    Actor,
    ActorSystem,
    AskTimeout,
    Backoff,
    ChildSpec,
    MailboxFull,
    Message,
    RemoveChild,
    Request,
    RestartChild,
    RestartPolicy,
    StartChild,
    StopChild,
    Supervisor,
    on,
)
from actors.mailbox import Overflow
from actors.restart import WhenExhausted
from actors.supervisor import Strategy
from actors.testing import no_leaks, run_virtual


class Note(Message, frozen=True):
    n: int


class Pause(Message, frozen=True):
    seconds: float


class Fail(Message, frozen=True):
    pass


class Read(Request[int], frozen=True):
    seconds: float


class Worker(Actor[Note | Pause | Fail | Read]):
    mailbox_capacity = 4
    handler_limit_s = 5.0
    stop_timeout_s = 2.0

    async def on_start(self) -> None:
        self.context.schedule_every(3.0, Note(0))
        self.context.start_task(self.idle)

    async def idle(self) -> None:
        await asyncio.sleep(10_000)

    async def on_stop(self, reason: BaseException | None) -> None:
        await asyncio.sleep(0.5)

    @on(Note)
    def note(self, message: Note) -> None: ...

    @on(Pause)
    async def pause(self, message: Pause) -> None:
        await asyncio.sleep(message.seconds)

    @on(Fail)
    def fail(self, message: Fail) -> None:
        raise RuntimeError("fail")

    @on(Read)
    def read(self, message: Read) -> asyncio.Future[int]:
        return self.context.answer_later(self._read, message.seconds)

    async def _read(self, seconds: float) -> int:
        await asyncio.sleep(seconds)
        return 1


NAMES = ("a", "b", "c")
names = st.sampled_from(NAMES)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), names, st.builds(Note, st.integers(1, 9))),
        st.tuples(st.just("tell"), names, st.builds(Pause, st.sampled_from([0.5, 3.0, 20.0]))),
        st.tuples(st.just("tell"), names, st.just(Fail())),
        st.tuples(st.just("ask"), names, st.builds(Read, st.sampled_from([0.0, 2.0, 20.0]))),
        st.tuples(st.just("command"), st.just(""), st.builds(StopChild, names)),
        st.tuples(st.just("command"), st.just(""), st.builds(RestartChild, names)),
        st.tuples(st.just("command"), st.just(""), st.builds(RemoveChild, names)),
        st.tuples(st.just("start"), names, st.booleans()),
        st.tuples(st.just("sleep"), st.just(""), st.sampled_from([0.0, 0.1, 0.6, 4.0, 70.0])),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(
    plan=steps,
    strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
    outcome=st.sampled_from(["escalate", "stop", "delay"]),
    overflow=st.sampled_from(["wait", "reject", "drop_oldest", "drop_newest"]),
)
def test_nothing_is_lost_and_nothing_is_left(
    plan: list[tuple[str, str, Any]], strategy: Strategy, outcome: WhenExhausted, overflow: Overflow
) -> None:
    run_virtual(_play, plan, strategy, outcome, overflow)


async def _play(
    plan: list[tuple[str, str, Any]], strategy: Strategy, outcome: WhenExhausted, overflow: Overflow
) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    worker = type("FlowingWorker", (Worker,), {"overflow": overflow})
    policy = RestartPolicy(backoff=Backoff(first_s=0.2), when_exhausted=outcome, cooldown_s=10)
    asked: list[asyncio.Future[Any]] = []
    async with no_leaks():
        async with ActorSystem("play", policy=RestartPolicy(max_restarts=1000)) as system:
            children = [ChildSpec(name, worker) for name in NAMES]
            sup = await system.spawn(lambda: Supervisor(children, strategy=strategy, policy=policy), name="sup")
            cells: dict[str, Any] = {}
            every: list[Any] = []

            def know() -> None:
                for name, child in (sup._cell.children or {}).items():
                    if cells.get(name) is not child.cell:
                        cells[name] = child.cell
                        every.append(child.cell)

            know()
            for what, name, value in plan:
                know()
                if what == "sleep":
                    await asyncio.sleep(value)
                elif what == "command":
                    asked.append(sup.ask(value, timeout=100))
                elif what == "start":
                    asked.append(sup.ask(StartChild(ChildSpec(name, worker), supervised_start=value), timeout=100))
                elif what == "ask":
                    asked.append(cells[name].ref.ask(value, timeout=150))
                else:
                    with suppress(MailboxFull):
                        cells[name].ref.tell(value)
            await asyncio.sleep(200)
            # All that were asked have been answered, one way or another, and the tree has come to rest.
            assert all(reply.done() for reply in asked)
            for reply in asked:
                assert not isinstance(reply.exception(), AssertionError | AskTimeout)
            know()
            assert sup.vitals().condition == "running"
            assert all(child.condition in ("running", "stopped", "gave_up") for child in sup.vitals().children)
            for child in tuple((sup._cell.children or {}).values()):
                if child.cell.state == "running":  # and not only in name
                    assert await child.cell.ref.ask(Read(0.0), timeout=1) == 1
        for cell in every:
            assert cell.state == "stopped"
            assert cell.mailbox.depth() == 0
            assert not cell._tasks
            assert not cell._timers
        assert system.timers.scheduled == 0
    assert not complaints


@settings(max_examples=60, deadline=None)
@given(
    plan=st.lists(st.sampled_from(["tell", "ask", "pause", "fail", "turn", "wait"]), max_size=60),
    overflow=st.sampled_from(["reject", "drop_oldest", "drop_newest", "wait"]),
)
def test_what_was_sent_was_handled_or_is_a_dead_letter(plan: list[str], overflow: Overflow) -> None:
    run_virtual(_count, plan, overflow)


async def _count(plan: list[str], overflow: Overflow) -> None:
    class Quiet(Worker):
        async def on_start(self) -> None: ...

    worker = type("FlowingWorker", (Quiet,), {"overflow": overflow})
    policy = RestartPolicy(max_restarts=1000, backoff=Backoff(first_s=0.2))
    sent = 0
    asked: list[asyncio.Future[Any]] = []
    async with ActorSystem("count", policy=policy) as system:
        ref = await system.spawn(worker, name="worker")
        for what in plan:
            try:
                if what == "tell":
                    ref.tell(Note(1))
                elif what == "pause":
                    ref.tell(Pause(1.0))
                elif what == "fail":
                    ref.tell(Fail())
                elif what == "ask":
                    asked.append(ref.ask(Read(0.0), timeout=1000))
                else:
                    await asyncio.sleep(0 if what == "turn" else 1)
                    continue
            except MailboxFull:
                continue
            sent += 1
        refused = sum(reply.done() and isinstance(reply.exception(), MailboxFull) for reply in asked)
        overflowed = system.dead_letters.counts["overflow"]
        refused -= sum(
            isinstance(letter.message, Read) and letter.reason == "overflow" for letter in system.dead_letters.newest
        )
        vitals = ref.vitals()
        assert vitals.handled + vitals.mailbox_depth + overflowed + refused == sent
        await asyncio.sleep(500)
        vitals = ref.vitals()
        assert vitals.mailbox_depth == 0
        assert vitals.handled + overflowed + refused == sent
        assert all(reply.done() for reply in asked)
        await asyncio.gather(*asked, return_exceptions=True)
