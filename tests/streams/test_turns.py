"""Turns: free while there is room, by weight while there is none, and never lost."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.turns import LEASE_S, MOST_WAITING, Lane, Shares, Turns


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Saturated:
    """Instances that want all there is; each turn holds its place for a while of its instance's own."""

    def __init__(self, places: int, weights: dict[str, float], held_s: dict[str, float]) -> None:
        self.clock = Clock()
        self.shares = Shares(requests=places, clock=self.clock)
        self.shares.weigh(weights)
        self.turns = {name: self.shares.of(name) for name in weights}
        self.held_s = held_s
        self.ends: list[tuple[float, int, str]] = []
        self.done = dict.fromkeys(weights, 0)
        self.numbers = iter(range(10**9))

    def ask(self, name: str) -> None:
        number = next(self.numbers)

        def begin() -> None:
            self.ends.append((self.clock.now_s + self.held_s[name], number, name))

        turns = self.turns[name].requests
        if turns.take(number):
            begin()
        else:
            turns.wait(number, begin)

    def run(self, each: int, turns: int) -> dict[str, float]:
        """Keep so many asking for each instance, until so many turns are over; return the shares of place-time."""
        for _ in range(each):
            for name in self.turns:
                self.ask(name)
        for _ in range(turns):
            ended = min(self.ends)
            self.ends.remove(ended)
            self.clock.now_s, number, name = ended
            self.done[name] += 1
            self.turns[name].requests.give_back(number)
            self.ask(name)
        used = {name: done * self.held_s[name] for name, done in self.done.items()}
        return {name: each / sum(used.values()) for name, each in used.items()}


async def test_what_is_scarce_is_had_in_proportion_to_weights() -> None:
    shares = Saturated(4, {"a": 1, "b": 2, "c": 4}, dict.fromkeys("abc", 0.01)).run(each=30, turns=3000)
    assert shares == pytest.approx({"a": 1 / 7, "b": 2 / 7, "c": 4 / 7}, rel=0.05)


async def test_it_is_the_time_of_places_that_counts_not_how_often_one_is_taken() -> None:
    shares = Saturated(4, {"slow": 1, "fast": 1}, {"slow": 0.1, "fast": 0.01}).run(each=30, turns=3000)
    assert shares == pytest.approx({"slow": 0.5, "fast": 0.5}, rel=0.1)


async def test_what_one_does_not_want_goes_to_the_others() -> None:
    bench = Saturated(4, {"modest": 100, "a": 1, "b": 3}, dict.fromkeys(("modest", "a", "b"), 0.01))
    modest = bench.turns.pop("modest")
    shares = bench.run(each=30, turns=2000)
    assert shares["b"] == pytest.approx(0.75, rel=0.05)
    # Whoever comes after the others have worked for long has no claim on the past: from now on, its part and no more.
    bench.turns["modest"] = modest
    modest.requests.weight = bench.turns["b"].requests.weight
    bench.done = dict.fromkeys(bench.turns, 0)
    shares = bench.run(each=30, turns=700)
    assert shares == pytest.approx({"modest": 3 / 7, "a": 1 / 7, "b": 3 / 7}, rel=0.1)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@given(
    weights=st.lists(st.floats(0.01, 100), min_size=2, max_size=6),
    places=st.integers(1, 5),
    durations=st.lists(st.floats(0.001, 0.5), min_size=6, max_size=6),
)
def test_nobody_starves_and_no_place_is_lost(
    loop: asyncio.AbstractEventLoop, weights: list[float], places: int, durations: list[float]
) -> None:
    async def run() -> None:
        names = [str(number) for number in range(len(weights))]
        bench = Saturated(places, dict(zip(names, weights, strict=True)), dict(zip(names, durations, strict=False)))
        bench.run(each=places + 1, turns=200)
        assert bench.shares.requests.stats().held == places
        for _ in range(20_000):
            if all(bench.done.values()):
                break
            bench.run(each=0, turns=1)
        assert all(bench.done.values())

    loop.run_until_complete(run())


async def test_while_there_is_room_nobody_waits() -> None:
    shares = Shares(requests=2)
    a, b = shares.of("a").requests, shares.of("b").requests
    assert a.take(1)
    assert b.take(2)
    assert not a.take(3)
    a.give_back(1)
    assert b.take(3)
    assert shares.requests.stats().waited == 0


async def test_who_is_cancelled_while_waiting_or_just_let_in_takes_no_place_along() -> None:
    shares = Shares(errands=1)
    turns = shares.of("a").errands

    async def work() -> None:
        async with turns.turn():
            await asyncio.sleep(3600)

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (shares.errands.stats().held, shares.errands.stats().waiting) == (1, 2)
    tasks[1].cancel()
    await asyncio.wait(tasks[1:2])
    assert (shares.errands.stats().held, shares.errands.stats().waiting) == (1, 1)
    tasks[0].cancel()
    await asyncio.sleep(0)
    tasks[2].cancel()  # its turn has come in this very moment
    await asyncio.wait(tasks)
    assert (shares.errands.stats().held, shares.errands.stats().waiting) == (0, 0)
    async with asyncio.timeout(1), turns.turn():
        pass


async def test_a_place_that_is_held_for_too_long_is_lent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = Lane(1, lease_s=0.01)
    stuck, next_one = Turns(lane), Turns(lane)
    began = asyncio.Event()
    assert stuck.take("stuck")
    next_one.wait("next", began.set)
    assert not began.is_set()
    await asyncio.wait_for(began.wait(), 5)
    assert lane.stats().lent == 1
    stuck.give_back("stuck")
    assert lane.stats().held == 1  # the other one's
    next_one.give_back("next")
    assert lane.stats().held == 0


async def test_work_that_cannot_begin_takes_nobody_elses_turn() -> None:
    lane = Lane(1)
    turns = Turns(lane)
    began: list[str] = []
    assert turns.take("first")
    turns.wait("broken", lambda: 1 / 0)
    turns.wait("whole", lambda: began.append("whole"))
    turns.give_back("first")
    assert began == ["whole"]


async def test_work_that_ends_while_it_begins_lets_the_next_one_in() -> None:
    lane = Lane(1)
    turns = Turns(lane)
    began: list[int] = []

    def begin(number: int) -> None:
        began.append(number)
        turns.give_back(number)

    assert turns.take("first")
    for number in range(2000):
        turns.wait(number, lambda number=number: begin(number))  # type: ignore[misc]
    turns.give_back("first")
    assert began == list(range(2000))


async def test_an_instance_of_which_many_wait_is_crowded_and_who_closes_lets_all_in() -> None:
    lane = Lane(1)
    crowd, other = Turns(lane), Turns(lane)
    began: list[int] = []
    assert other.take("other")
    for number in range(MOST_WAITING):
        assert not crowd.crowded
        crowd.wait(number, lambda: began.append(1))
    assert crowd.crowded
    assert not other.crowded
    crowd.let_all_in()
    assert (len(began), lane.stats().waiting) == (MOST_WAITING, 0)
    for number in range(MOST_WAITING):
        crowd.give_back(number)
    other.give_back("other")
    assert lane.stats().held == 0
    assert crowd.take("again")


async def test_weights_are_relative_and_who_is_not_named_is_usual() -> None:
    shares = Shares()
    a, b = shares.of("a"), shares.of("b")
    shares.weigh({"a": 0.003, "c": 0.001})
    assert (a.requests.weight, b.errands.weight, shares.of("c").errands.weight) == (1.5, 1.0, 0.5)
    assert shares.of("a") is a
    del a
    gc.collect()
    assert shares.of("a").requests.weight == 1.5
    shares.weigh({})
    assert shares.of("a").requests.weight == 1.0


def test_a_lease_is_longer_than_a_usual_request_and_shorter_than_a_customers_patience() -> None:
    assert 0.1 < LEASE_S < 5
