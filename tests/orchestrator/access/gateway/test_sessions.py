from __future__ import annotations

from orchestrator.access.gateway.sessions import CAPACITY, IDLE_S, LIFETIME_S, Sessions


class Clock:
    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_a_session_lasts_while_it_is_used_and_not_for_ever() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    identity = sessions.begin()
    for _ in range(int(LIFETIME_S / (IDLE_S / 2)) - 1):
        clock.s += IDLE_S / 2
        assert sessions.use(identity) is not None
        assert sessions.lasts(identity)
    clock.s += IDLE_S / 2
    assert not sessions.lasts(identity)
    assert sessions.use(identity) is None
    assert len(sessions) == 0


def test_an_unused_session_ends_and_being_asked_after_is_no_use() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    identity = sessions.begin()
    clock.s += IDLE_S - 1
    assert sessions.lasts(identity)
    clock.s += 1
    assert sessions.use(identity) is None


def test_a_session_that_was_ended_is_over() -> None:
    sessions = Sessions(Clock())
    identity = sessions.begin()
    assert sessions.end(identity)
    assert not sessions.end(identity)
    assert sessions.use(identity) is None


def test_ids_are_long_all_different_and_not_kept() -> None:
    sessions = Sessions(Clock())
    identities = {sessions.begin() for _ in range(100)}
    assert len(identities) == 100
    assert min(map(len, identities)) >= 43
    assert not any(identity in repr(vars(sessions)) for identity in identities)


def test_one_session_too_many_ends_the_one_that_was_unused_for_longest() -> None:
    sessions = Sessions(Clock())
    identities = [sessions.begin() for _ in range(CAPACITY)]
    sessions.use(identities[0])
    sessions.begin()
    assert len(sessions) == CAPACITY
    assert sessions.use(identities[0]) is not None
    assert sessions.use(identities[1]) is None


def test_what_is_no_id_is_no_session() -> None:
    sessions = Sessions(Clock())
    sessions.begin()
    for strange in ("", "x", "x" * 10_000, "\udcff", "ü"):
        assert sessions.use(strange) is None
        assert not sessions.lasts(strange)
