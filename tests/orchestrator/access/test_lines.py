from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.access.lines import LineBuffer, LineTooLong


def all_of(lines: LineBuffer) -> list[bytes]:
    taken = []
    while (line := lines.take()) is not None:
        taken.append(bytes(line))
    return taken


@given(
    st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and not line.endswith(b"\r"))),
    st.lists(st.integers(1, 7), min_size=1),
    st.sampled_from([b"\n", b"\r\n"]),
)
def test_lines_come_out_whole_however_they_were_cut_up(sent: list[bytes], cuts: list[int], ending: bytes) -> None:
    stream = b"".join(line + ending for line in sent)
    lines = LineBuffer(limit_bytes=20)
    taken = []
    while stream:
        for cut in cuts:
            lines.feed(stream[:cut])
            stream = stream[cut:]
            taken += all_of(lines)
    assert taken == sent
    assert len(lines) == 0


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
def test_a_line_may_be_as_long_as_the_limit_and_not_longer(ending: bytes) -> None:
    lines = LineBuffer(limit_bytes=4)
    lines.feed(b"abcd" + ending)
    assert all_of(lines) == [b"abcd"]
    lines.feed(b"abcde" + ending)
    with pytest.raises(LineTooLong):
        lines.take()


def test_a_line_without_an_end_is_refused_once_it_cannot_be_within_the_limit() -> None:
    lines = LineBuffer(limit_bytes=4)
    lines.feed(b"abcd\r")
    assert lines.take() is None
    lines.feed(b"e")
    with pytest.raises(LineTooLong):
        lines.take()


def test_what_is_left_at_the_end_is_a_line() -> None:
    lines = LineBuffer(limit_bytes=10)
    lines.feed(b"one\ntwo")
    lines.end()
    lines.end()
    assert all_of(lines) == [b"one", b"two"]


def test_what_was_read_can_be_forgotten() -> None:
    lines = LineBuffer(limit_bytes=10)
    lines.feed(b"half")
    assert lines.take() is None
    lines.clear()
    lines.feed(b"x\n")
    assert all_of(lines) == [b"x"]
