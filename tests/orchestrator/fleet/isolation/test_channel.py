"""Frames, answers, limits and lines, each by itself: without a process."""

from __future__ import annotations

import asyncio
import socket
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors import AskTimeout
from config.isolation import ProcessLimits
from orchestrator.fleet.instance import Examine, Pause, Perform
from orchestrator.fleet.isolation.allowance import Allowance
from orchestrator.fleet.isolation.channel import ChannelBroken, Splitter, open_channel
from orchestrator.fleet.isolation.conversation import Conversation, TooLong
from orchestrator.fleet.isolation.frames import ENCODER, FOR_CHILD, Answer, Failed, Trouble
from orchestrator.fleet.isolation.landlock import readable
from orchestrator.fleet.isolation.output import MAX_LINE_BYTES, Lines
from orchestrator.fleet.isolation.troubles import failure_of, trouble_of
from orchestrator.fleet.isolation.usage import Process, Use, children_of, descendants_of, use_of
from orchestrator.fleet.isolation.verdict import Judge
from streams.booking import BookingRejected, KeyConflict, LedgerUnavailable


@settings(max_examples=50)
@given(frames=st.lists(st.binary(min_size=1, max_size=50), max_size=8), cuts=st.lists(st.integers(0, 400), max_size=10))
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    splitter = Splitter(50)
    assert [f for a, b in pairwise(places) for f in splitter.feed(stream[a:b])] == frames


@pytest.mark.parametrize("length", [0, 51, 2**32 - 1])
def test_a_frame_that_is_empty_or_too_long_breaks_the_channel_before_it_is_there(length: int) -> None:
    with pytest.raises(ChannelBroken, match=str(length)):
        Splitter(50).feed(length.to_bytes(4, "big"))


async def test_a_question_gets_its_answer_a_wrong_one_breaks_and_a_late_one_is_passed_over() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        channel = await open_channel(ours, 10_000)
        asked = Conversation(channel, FOR_CHILD, "rogue-001")
        paused = asked.ask(Pause(), 5)
        asked.take(Answer(1, msgspec.Raw(ENCODER.encode(None))))
        assert await paused is None
        late = asked.ask(Examine(), 0.01)
        with pytest.raises(AskTimeout, match="rogue-001"):
            await late
        asked.take(Answer(2, msgspec.Raw(ENCODER.encode(None))))
        wrong = asked.ask(Examine(), 5)
        with pytest.raises(ChannelBroken, match="not what was asked for"):
            asked.take(Answer(3, msgspec.Raw(ENCODER.encode({"health": 1}))))
        with pytest.raises(ChannelBroken):
            await wrong
        with pytest.raises(ChannelBroken, match="never asked"):
            asked.take(Failed(4, Trouble("X", "")))
        with pytest.raises(TooLong):
            asked.ask(Perform("try", {"text": "x" * 20_000}), 5)
        left = asked.ask(Pause(), 5)
        asked.close(RuntimeError("it has ended"))
        with pytest.raises(RuntimeError, match="has ended"):
            await left
        channel.close()
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "error",
    [KeyConflict("k"), BookingRejected("no"), LedgerUnavailable("full", 7.0), AskTimeout("/ledger", Pause(), 5)],
)
def test_failures_that_streams_know_come_back_as_themselves(error: Exception) -> None:
    again = failure_of(trouble_of(error))
    assert (type(again), str(again)) == (type(error), str(error))
    assert getattr(again, "retry_after_s", None) == getattr(error, "retry_after_s", None)
    assert getattr(again, "key", None) == getattr(error, "key", None)


def test_the_judge_names_the_limit_and_waits_for_a_whole_window() -> None:
    judge = Judge(ProcessLimits(memory_bytes=64 * 2**20, processes=2, threads=9, cpu_share=0.5, cpu_window_s=10))
    assert judge.verdict(Use(2**20, 0.0, 2, 9), 0.0) is None
    assert "70 MiB" in str(judge.verdict(Use(70 * 2**20, 0.0, 0, 1), 1.0))
    assert "3 processes" in str(judge.verdict(Use(0, 0.0, 3, 1), 2.0))
    assert "10 threads" in str(judge.verdict(Use(0, 0.0, 0, 10), 3.0))
    assert judge.verdict(Use(0, 9.0, 0, 1), 9.0) is None
    assert "0.90 cores" in str(judge.verdict(Use(0, 9.0, 0, 1), 10.0))
    assert judge.verdict(Use(0, 9.5, 0, 1), 19.5) is None


def test_what_is_below_a_process_is_found_and_added_up() -> None:
    processes = {
        p: Process(p, parent, p == 5, 1.0, 2, 100) for p, parent in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 2), (9, 1))
    }
    below = descendants_of(2, children_of(processes))
    assert sorted(below) == [3, 4, 5]
    assert use_of((2, *below, 77), processes) == Use(400, 4.0, 3, 6)


def test_lines_are_cut_where_they_end_and_where_they_are_too_long() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\n\n\xff\n") == ["two", "\ufffd"]
    assert [len(line) for line in lines.feed(b"x" * (2 * MAX_LINE_BYTES + 5))] == [MAX_LINE_BYTES] * 2
    assert lines.end() == ["x" * 5]


def test_an_allowance_fills_again_and_is_never_more_than_a_second_s_worth() -> None:
    allowance = Allowance(10, 0.0)
    assert allowance.take(10, 0.0) == 0
    assert allowance.take(5, 0.0) == pytest.approx(0.5)
    assert not allowance.take_if_there(1, 0.5)
    assert allowance.take_if_there(1, 0.65)
    assert allowance.take(11, 100.0) == pytest.approx(0.1)


def test_a_home_below_the_code_is_not_readable_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("streams", "var/instances/rogue-001", ".git", ".venv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".env").touch()
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    own = {path for path in readable(tmp_path / "var" / "instances" / "rogue-001") if path.startswith(str(tmp_path))}
    assert own == {str(tmp_path / "streams"), str(tmp_path / ".venv")}
