from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from orchestrator.logs import LogLimits, LogSystem
from orchestrator.logs.line import Line, compose
from orchestrator.logs.writer import BackgroundWriter

MakeLog = Callable[..., LogSystem]
ReadLog = Callable[..., list[dict[str, Any]]]


class Shelf:
    """A sink that keeps what it gets; it waits while it is held, and refuses while it is full."""

    def __init__(self) -> None:
        self.batches: list[list[Line]] = []
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()
        self.full = False
        self.broken = False
        self.closed = False

    @property
    def events(self) -> list[str]:
        return [line.fields["event"] for batch in self.batches for line in batch]

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        self.entered.set()
        self.free.wait(10)
        if self.broken:
            raise ZeroDivisionError("a bug")
        if self.full:
            return len(lines), "No space left on device"
        self.batches.append(list(lines))
        return 0, ""

    def close(self) -> None:
        self.closed = True


def line(event: str, level: str = "info") -> Line:
    return compose(level, "x", {"event": event})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_lines_come_in_order_and_in_batches(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0.01)
    writer.start()
    for number in range(500):
        writer.submit(line(str(number)))
    assert writer.stop(5)
    assert shelf.events == [str(number) for number in range(500)]
    assert len(shelf.batches) < 100
    assert shelf.closed
    assert writer.written == 500


def test_an_error_does_not_linger(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=30)
    writer.start()
    writer.submit(line("calm"))
    assert not shelf.entered.wait(0.02)
    writer.submit(line("alarm", "error"))
    assert shelf.entered.wait(5)
    assert writer.stop(5)
    assert shelf.events == ["calm", "alarm"]


def test_what_does_not_fit_is_dropped_counted_and_reported(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", capacity_lines=10, linger_s=0)
    shelf.free.clear()
    writer.start()
    writer.submit(line("first"))
    assert shelf.entered.wait(5)
    started = time.perf_counter()
    accepted = sum(writer.submit(line(str(number))) for number in range(1000))
    assert time.perf_counter() - started < 1
    assert accepted == 10
    shelf.free.set()
    assert writer.stop(5)
    assert shelf.events == ["first", "logs.dropped", *map(str, range(10))]
    report = shelf.batches[1][0].fields
    assert report["lines"] == 990
    assert report["reasons"] == {"more came than could be written": 990}
    assert writer.dropped == 990


def test_the_queue_is_bounded_by_size_too(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", capacity_bytes=10_000, linger_s=0)
    shelf.free.clear()
    writer.start()
    writer.submit(line("first"))
    assert shelf.entered.wait(5)
    assert sum(writer.submit(line("x" * 3000)) for _ in range(10)) == 3
    shelf.free.set()
    assert writer.stop(5)


def test_a_full_disk_costs_lines_and_is_reported_when_there_is_room(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0)
    writer.start()
    shelf.full = True
    for number in range(3):
        writer.submit(line(str(number)))
        assert writer.flush(5)
    shelf.full = False
    writer.submit(line("again"))
    assert writer.stop(5)
    assert shelf.events == ["logs.dropped", "again"]
    assert shelf.batches[0][0].fields["reasons"] == {"No space left on device": 3}


def test_a_bug_in_a_sink_does_not_end_the_log(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0)
    writer.start()
    shelf.broken = True
    writer.submit(line("lost"))
    assert writer.flush(5)
    shelf.broken = False
    assert writer.stop(5)
    assert shelf.batches[0][0].fields["reasons"] == {"ZeroDivisionError: a bug": 1}


def test_stopping_does_not_wait_for_a_sink_that_is_stuck(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0)
    shelf.free.clear()
    writer.start()
    writer.submit(line("a"))
    assert shelf.entered.wait(5)
    assert not writer.flush(0.01)
    assert not writer.stop(0.01)
    assert not writer.submit(line("b"))
    shelf.free.set()
    assert writer.stop(5)


def test_lines_from_many_threads_all_arrive(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0)
    writer.start()

    def speak(name: int) -> None:
        for number in range(200):
            writer.submit(line(f"{name} {number}"))

    threads = [threading.Thread(target=speak, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.stop(5)
    assert len(set(shelf.events)) == 1600
    for name in range(8):
        mine = [event for event in shelf.events if event.startswith(f"{name} ")]
        assert mine == [f"{name} {number}" for number in range(200)]


def test_a_finalizer_may_log_while_a_line_is_being_submitted(shelf: Shelf) -> None:
    writer = BackgroundWriter(shelf, name="w", linger_s=0)
    writer.start()

    class Cyclic:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            writer.submit(line("finalized", "error"))

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for _ in range(200):
            Cyclic()
            writer.submit(line("ordinary"))
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert writer.stop(10)
    assert shelf.events.count("ordinary") == shelf.events.count("finalized") == 200


def test_the_daemons_file_recovers_by_itself(make_log: MakeLog, read_log: ReadLog, log_file: Path) -> None:
    log_file.parent.mkdir(parents=True)
    log_file.mkdir()  # nothing can be written here
    system = make_log(limits=LogLimits(linger_s=0))
    structlog.get_logger("x").info("lost")
    assert system.flush()
    assert system.stats().dropped == 1
    log_file.rmdir()
    structlog.get_logger("x").info("kept")
    assert system.flush()
    report, kept = read_log()
    assert report["event"] == "logs.dropped"
    assert report["reasons"] == {"Is a directory": 1}
    assert kept["event"] == "kept"
