from __future__ import annotations

import os
import socket

import pytest

from orchestrator.access.peer import Admission, Peer, groups_of, peer_of


def test_the_kernel_says_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with one, other:
        peer = peer_of(one)
        assert sorted(groups_of(one)) == sorted(os.getgroups())
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.geteuid(), os.getegid())
    assert str(peer) == f"pid {os.getpid()} of uid {os.geteuid()}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set its groups")
@pytest.mark.parametrize(("count", "known"), [(3, 3), (40, 40), (256, 256), (300, 0)])
def test_the_groups_of_a_peer_are_read_and_none_is_made_up_when_there_are_too_many(count: int, known: int) -> None:
    held = os.getgroups()
    os.setgroups(range(5_000, 5_000 + count))
    try:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    finally:
        os.setgroups(held)
    with one, other:
        assert groups_of(one) == tuple(range(5_000, 5_000 + known))


def test_what_is_no_unix_socket_has_no_peer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected, pytest.raises(OSError):  # noqa: PT011
        groups_of(unconnected)


@pytest.mark.parametrize(
    ("peer", "groups", "allowed"),
    [
        (Peer(1, 1000, 1000), (), True),
        (Peer(1, 0, 0), (), True),
        (Peer(1, 1001, 1001), (), False),
        (Peer(1, 1001, 77), (), True),
        (Peer(1, 1001, 1001), (5, 77), True),
        (Peer(1, 1001, 1001), (5, 78), False),
    ],
)
def test_owner_root_and_members_of_the_group_are_allowed(peer: Peer, groups: tuple[int, ...], allowed: bool) -> None:
    assert Admission(owner_uid=1000, group_gid=77).allows(peer, lambda: groups) is allowed


def test_without_a_group_its_number_opens_nothing() -> None:
    assert not Admission(owner_uid=1000).allows(Peer(1, 1001, 77), lambda: (77,))
