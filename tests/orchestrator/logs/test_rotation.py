from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from orchestrator.logs.line import compose
from orchestrator.logs.rotation import RotatingFile, rotated
from orchestrator.logs.sinks import FileSink


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


SMALL_DISK = 1000


@contextmanager
def small_disk() -> Iterator[None]:
    """A process that may not write files beyond 1,000 bytes: the nearest thing to a full disk.

    Not a fixture, for pytest's own report may go to a file, too.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL_DISK, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_that_would_grow_too_large_is_rotated_and_the_oldest_goes(path: Path) -> None:
    file = RotatingFile(path, max_bytes=25, keep=2)
    for number in range(8):
        file.append(b"line %04d\n" % number)
    file.close()
    assert path.read_bytes() == b"line 0006\nline 0007\n"
    assert rotated(path, 1).read_bytes() == b"line 0004\nline 0005\n"
    assert rotated(path, 2).read_bytes() == b"line 0002\nline 0003\n"
    assert not rotated(path, 3).exists()


def test_rotation_counts_what_was_in_the_file_before(path: Path) -> None:
    path.write_bytes(b"x" * 19 + b"\n")
    file = RotatingFile(path, max_bytes=25, keep=1)
    file.append(b"line 0000\n")
    file.close()
    assert path.read_bytes() == b"line 0000\n"


def test_nothing_need_be_kept(path: Path) -> None:
    file = RotatingFile(path, max_bytes=10, keep=0)
    for number in range(3):
        file.append(b"line %04d\n" % number)
    file.close()
    assert [entry.name for entry in path.parent.iterdir()] == ["a.jsonl"]
    assert path.read_bytes() == b"line 0002\n"


def test_half_a_line_from_a_power_cut_is_closed_off(path: Path) -> None:
    path.write_bytes(b'{"half": ')
    file = RotatingFile(path, max_bytes=1000, keep=1)
    file.append(b"{}\n")
    file.append(b"{}\n")
    file.close()
    assert path.read_bytes() == b'{"half": \n{}\n{}\n'


def test_a_file_that_someone_moves_or_removes_is_made_anew(path: Path) -> None:
    file = RotatingFile(path, max_bytes=1000, keep=1)
    file.append(b"1\n")
    path.rename(path.with_name("moved"))
    file.append(b"2\n")
    path.unlink()
    file.append(b"3\n")
    file.close()
    assert path.read_bytes() == b"3\n"
    assert path.with_name("moved").read_bytes() == b"1\n"


def test_a_write_that_does_not_fit_leaves_no_half_line_and_works_again_later(path: Path) -> None:
    file = RotatingFile(path, max_bytes=10**6, keep=1)
    with small_disk():
        file.append(b"a" * 899 + b"\n")
        with pytest.raises(OSError, match="File too large"):
            file.append(b"b" * 499 + b"\n")
        assert path.stat().st_size == 900
        file.append(b"c" * 99 + b"\n")
        file.close()
    assert path.stat().st_size == SMALL_DISK


def test_of_many_lines_a_full_disk_takes_as_many_as_fit(path: Path) -> None:
    sink = FileSink(path, max_bytes=10**6, keep=1)
    lines = [compose("info", "x", {"event": str(number)}) for number in range(50)]
    with small_disk():
        lost, reason = sink.write(lines)
        sink.close()
    assert reason == "File too large"
    whole = path.read_bytes().splitlines()
    assert len(whole) == 50 - lost
    assert 0 < lost < 50
    assert SMALL_DISK - path.stat().st_size < len(lines[0].encoded) + 2
    assert [msgspec.json.decode(line)["event"] for line in whole] == [str(n) for n in range(50 - lost)]


def test_links_and_pipes_are_refused(path: Path) -> None:
    target = path.with_name("precious")
    target.write_bytes(b"mine\n")
    path.symlink_to(target)
    file = RotatingFile(path, max_bytes=1000, keep=1)
    with pytest.raises(OSError, match="symbolic links"):
        file.append(b"x\n")
    assert target.read_bytes() == b"mine\n"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="not a regular file"):
        file.append(b"x\n")


def test_it_is_opened_by_the_first_line_for_its_owner_only(path: Path) -> None:
    file = RotatingFile(path, max_bytes=1000, keep=1)
    assert not path.exists()
    file.append(b"x\n")
    file.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
