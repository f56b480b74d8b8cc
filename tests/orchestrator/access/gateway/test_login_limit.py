from __future__ import annotations

import pytest

from orchestrator.access.gateway.login_limit import (
    CAPACITY,
    FORGOTTEN_AFTER_S,
    FREE_FAILURES,
    LONGEST_WAIT_S,
    LoginLimit,
)


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> LoginLimit:
    return LoginLimit(clock)


def test_the_first_failures_are_free_and_each_further_one_doubles_the_wait(clock: Clock, limit: LoginLimit) -> None:
    assert [limit.failed("10.0.0.1") for _ in range(FREE_FAILURES)] == [0] * FREE_FAILURES
    waits = []
    for _ in range(8):
        waits.append(limit.failed("10.0.0.1"))
        clock.s += waits[-1]
        assert limit.wait_s("10.0.0.1") == 0
    assert waits == [1, 2, 4, 8, 16, 32, LONGEST_WAIT_S, LONGEST_WAIT_S]


def test_others_do_not_wait_for_one_who_fails(limit: LoginLimit) -> None:
    for _ in range(10):
        limit.failed("10.0.0.1")
    assert limit.wait_s("10.0.0.1") > 0
    assert limit.wait_s("10.0.0.2") == 0


def test_a_network_of_version_six_counts_as_one(limit: LoginLimit) -> None:
    for number in range(10):
        limit.failed(f"2001:db8::{number:x}")
    assert limit.wait_s("2001:db8::ffff") > 0
    assert limit.wait_s("2001:db8:0:1::1") == 0


def test_success_and_time_forgive(clock: Clock, limit: LoginLimit) -> None:
    for _ in range(10):
        limit.failed("10.0.0.1")
    limit.succeeded("10.0.0.1")
    assert limit.failed("10.0.0.1") == 0
    for _ in range(10):
        limit.failed("10.0.0.2")
    clock.s += FORGOTTEN_AFTER_S
    assert limit.failed("10.0.0.2") == 0


def test_a_crowd_of_addresses_takes_bounded_room(limit: LoginLimit) -> None:
    for number in range(CAPACITY + 100):
        limit.failed(f"10.0.{number // 256}.{number % 256}")
    assert len(limit._failures) == CAPACITY


def test_ever_so_many_failures_are_no_overflow(limit: LoginLimit) -> None:
    for _ in range(2000):
        wait_s = limit.failed("strange address%eth0")
    assert wait_s == LONGEST_WAIT_S
