from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.access.gateway.frames import MAX_CHUNK_BYTES, FrameQueue, TooSlow, frame_of


def test_a_frame_is_an_event_of_one_line() -> None:
    assert frame_of(b'{"event":"x"}') == b'data: {"event":"x"}\n\n'


def test_each_reader_has_a_place_of_its_own() -> None:
    queue = FrameQueue()
    for frame in (b"a", b"b", b"c"):
        queue.append(frame)
    assert queue.read(0) == (b"abc", 3)
    assert queue.read(2) == (b"c", 3)
    assert queue.read(3) == (b"", 3)


def test_who_has_fallen_too_far_behind_is_told() -> None:
    queue = FrameQueue(max_frames=3)
    for number in range(5):
        queue.append(b"%d" % number)
    assert queue.read(2) == (b"234", 5)
    with pytest.raises(TooSlow):
        queue.read(1)


def test_bytes_are_bounded_too_and_the_newest_frame_stays() -> None:
    queue = FrameQueue(max_bytes=10)
    for frame in (b"x" * 6, b"y" * 6, b"z" * 60):
        queue.append(frame)
        assert queue.read(queue.end - 1) == (frame, queue.end)
    assert len(queue) == 1


def test_much_is_written_in_chunks_and_a_large_frame_alone() -> None:
    queue = FrameQueue()
    for frame in (b"a" * (MAX_CHUNK_BYTES - 1), b"b" * 2, b"c" * (2 * MAX_CHUNK_BYTES)):
        queue.append(frame)
    place, sizes = 0, []
    while place < queue.end:
        chunk, place = queue.read(place)
        sizes.append(len(chunk))
    assert sizes == [MAX_CHUNK_BYTES - 1, 2, 2 * MAX_CHUNK_BYTES]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.binary(min_size=1, max_size=9), st.sampled_from([0, 1, 2])), max_size=60))
def test_a_reader_gets_everything_in_order_or_learns_that_it_was_too_slow(steps: list[bytes | int]) -> None:
    queue = FrameQueue(max_frames=6, max_bytes=30)
    places, got, told = [0, 0, 0], [b"", b"", b""], b""
    lost: set[int] = set()
    for step in steps:
        if isinstance(step, bytes):
            queue.append(step)
            told += step
        elif step not in lost:
            try:
                chunk, places[step] = queue.read(places[step])
            except TooSlow:
                lost.add(step)
            else:
                got[step] += chunk
                assert got[step] == told
        queue.forget(min((place for reader, place in enumerate(places) if reader not in lost), default=0))
        assert len(queue) <= 6
