from __future__ import annotations

import random
import shutil
from pathlib import Path
from zlib import crc32

import pytest

from orchestrator.money.store import Store
from orchestrator.money.verify import verify
from orchestrator.money.wal import log_of, log_problems, pages_in_log, read_frames, read_header, read_index
from tests.orchestrator.money.bookings import api_call, write

HEADER = 32
FRAME = 24 + 4096


@pytest.fixture
def crashed(path: Path, tmp_path: Path) -> Path:
    """A ledger whose daemon was killed: three commits are in its log only."""
    store = Store(path)
    store.open()
    write(store, api_call(0))
    store.checkpoint(idle=True)
    for n in range(1, 4):
        write(store, api_call(n))
    crashed = tmp_path / "crashed" / path.name
    crashed.parent.mkdir()
    for suffix in ("", "-wal", "-pages"):
        shutil.copy(path.with_name(path.name + suffix), crashed.with_name(crashed.name + suffix))
    store.close()
    return crashed


def flip(path: Path, offset: int, bit: int = 3) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


def frames_of(ledger: Path) -> int:
    with log_of(ledger).open("rb") as file:
        header = read_header(file)
        assert header is not None
        assert header.holds
        return sum(1 for _ in read_frames(file, header))


def test_a_log_is_read_as_sqlite_wrote_it(crashed: Path) -> None:
    assert list(log_problems(crashed, in_use=False)) == []
    with log_of(crashed).open("rb") as file:
        header = read_header(file)
        assert header is not None
        frames = list(read_frames(file, header))
        assert list(read_frames(file, header, after=2)) == frames[2:]
    assert [frame.number for frame in frames] == list(range(1, len(frames) + 1))
    assert sum(frame.commits for frame in frames) >= 3
    assert pages_in_log(crashed) == {frame.page: crc32(frame.content) for frame in frames}
    report = verify(crashed)
    assert (report.ok, report.transactions, report.notes) == (True, 4, ())


def test_a_byte_flipped_anywhere_in_the_log_is_found(crashed: Path) -> None:
    original = log_of(crashed).read_bytes()
    used = HEADER + frames_of(crashed) * FRAME
    dice = random.Random(3)
    for offset in (*range(HEADER), *dice.sample(range(HEADER, used), 60)):
        flip(log_of(crashed), offset, dice.randrange(8))
        assert list(log_problems(crashed, in_use=False)), offset
        log_of(crashed).write_bytes(original)


def test_verify_names_the_frame(crashed: Path) -> None:
    flip(log_of(crashed), HEADER + 2 * FRAME + 24 + 100)
    report = verify(crashed)
    assert not report.ok
    assert any("frame 3 of its log" in problem.what for problem in report.problems)


def test_what_is_half_written_at_the_end_is_no_problem_while_somebody_writes(crashed: Path) -> None:
    last = HEADER + (frames_of(crashed) - 1) * FRAME
    flip(log_of(crashed), last + 200)
    assert list(log_problems(crashed, in_use=True)) == []
    assert len(list(log_problems(crashed, in_use=False))) == 1


def test_what_stands_before_a_commit_is_one_even_then(crashed: Path) -> None:
    flip(log_of(crashed), HEADER + 200)
    assert len(list(log_problems(crashed, in_use=True))) == 1


@pytest.fixture
def killed(path: Path, tmp_path: Path) -> Path:
    """A ledger whose daemon was killed in the middle of a fourth commit: the log has it, its index does not."""
    killed = tmp_path / "killed" / path.name
    killed.parent.mkdir()
    store = Store(path)
    store.open()
    store.checkpoint(idle=True)
    for n in range(3):
        write(store, api_call(n))
    index = path.with_name(f"{path.name}-shm").read_bytes()
    write(store, api_call(3))
    for suffix in ("", "-wal", "-pages"):
        shutil.copy(path.with_name(path.name + suffix), killed.with_name(killed.name + suffix))
    store.close()
    killed.with_name(f"{killed.name}-shm").write_bytes(index)
    return killed


def test_what_a_kill_cut_short_is_no_problem_even_where_it_looks_like_a_commit(killed: Path) -> None:
    index = read_index(killed)
    assert index is not None
    assert 0 < index.frames < frames_of(killed)
    flip(log_of(killed), HEADER + index.frames * FRAME + 300)  # of the first frame behind the last commit
    report = verify(killed)
    assert (report.ok, report.transactions) == (True, 3)


def test_what_is_committed_is_a_problem_wherever_it_is_changed(killed: Path) -> None:
    index = read_index(killed)
    original = log_of(killed).read_bytes()
    assert index is not None
    dice = random.Random(4)
    for offset in (HEADER + 8, HEADER + 12, *dice.sample(range(HEADER, HEADER + index.frames * FRAME), 30)):
        flip(log_of(killed), offset, dice.randrange(8))
        assert list(log_problems(killed, in_use=False, index=index)), offset
        log_of(killed).write_bytes(original)
    last = HEADER + (index.frames - 1) * FRAME
    flip(log_of(killed), last + 200)
    report = verify(killed)
    assert any(f"frame {index.frames} of its log" in problem.what for problem in report.problems)


def test_an_index_that_is_not_whole_says_nothing(killed: Path) -> None:
    file = killed.with_name(f"{killed.name}-shm")
    whole = file.read_bytes()
    for broken in (b"", whole[:60], whole[:20] + b"\xff" + whole[21:], bytes(4096)):
        file.write_bytes(broken)
        assert read_index(killed) is None
    file.unlink()
    assert read_index(killed) is None


def test_frames_of_an_earlier_use_of_the_file_count_for_nothing(store: Store, path: Path) -> None:
    write(store, *(api_call(n, instance=f"i-{n}") for n in range(60)))
    store.checkpoint(idle=True)
    before = log_of(path).stat().st_size
    write(store, api_call(1000))
    assert log_of(path).stat().st_size == before
    assert frames_of(path) < before // FRAME / 2
    flip(log_of(path), before - 50)
    assert list(log_problems(path, in_use=False)) == []


def test_where_there_is_no_log_nothing_is_wrong_with_it(path: Path) -> None:
    assert list(log_problems(path, in_use=False)) == []
    assert pages_in_log(path) == {}
    log_of(path).write_bytes(b"")
    assert list(log_problems(path, in_use=False)) == []
    assert pages_in_log(path) == {}
