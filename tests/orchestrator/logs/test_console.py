from __future__ import annotations

import os
import pty
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from orchestrator.logs import LogSystem
from orchestrator.logs.console import choose, journal_listens
from orchestrator.logs.line import compose
from orchestrator.logs.sinks import StreamSink

MakeLog = Callable[..., LogSystem]


def stream_of(fd: int) -> dict[str, str]:
    status = os.fstat(fd)
    return {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def test_the_journal_is_known_by_device_and_inode() -> None:
    with tempfile.TemporaryFile() as one, tempfile.TemporaryFile() as other:
        assert journal_listens(one.fileno(), stream_of(one.fileno()))
        assert not journal_listens(one.fileno(), stream_of(other.fileno()))
        assert not journal_listens(one.fileno(), {})
        assert not journal_listens(one.fileno(), {"JOURNAL_STREAM": "nonsense"})
        fd = one.fileno()
    assert not journal_listens(fd, {"JOURNAL_STREAM": "1:2"})


def test_whoever_reads_standard_error_gets_what_suits_him() -> None:
    leader, terminal = pty.openpty()
    reading, writing = os.pipe()
    try:
        assert choose("auto", terminal, {"TERM": "xterm"}) == "colour"
        assert choose("auto", terminal, {"TERM": "dumb"}) == "plain"
        assert choose("auto", terminal, {"NO_COLOR": "1"}) == "plain"
        assert choose("auto", writing, {}) == "json"
        assert choose("auto", writing, stream_of(writing)) == "journal"
        assert choose("off", writing, stream_of(writing)) == "off"
    finally:
        for fd in (leader, terminal, reading, writing):
            os.close(fd)
    assert choose("auto", writing, {}) == "off"


def test_the_journal_gets_json_behind_its_priority(make_log: MakeLog) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        system = make_log(console="auto", console_fd=ours.fileno(), environ=stream_of(ours.fileno()), level="debug")
        log = structlog.get_logger("x")
        log.debug("d")
        log.info("i")
        log.warning("w")
        log.error("e")
        log.critical("c")
        assert system.flush()
        lines = theirs.recv(65536).decode().splitlines()
    assert [(line[:3], msgspec.json.decode(line[3:])["event"]) for line in lines] == [
        ("<7>", "d"), ("<6>", "i"), ("<4>", "w"), ("<3>", "e"), ("<2>", "c"),
    ]  # fmt: skip


def test_people_get_colour_on_a_terminal(make_log: MakeLog) -> None:
    leader, terminal = pty.openpty()
    try:
        system = make_log(console="auto", console_fd=terminal, environ={"TERM": "xterm"})
        structlog.get_logger("x").error("instance.failed", instance="i-1", reason="no room")
        assert system.flush()
        shown = os.read(leader, 65536).decode()
    finally:
        system.close()
        os.close(leader)
        os.close(terminal)
    assert "\x1b[" in shown
    assert "instance.failed" in shown
    assert "i-1" in shown


def test_people_find_the_instance_in_one_place_and_read_amounts_and_ids(make_log: MakeLog, tmp_path: Path) -> None:
    transaction = "tx_beb331fad3448194c4b75b5a767a61d6"
    with (tmp_path / "screen").open("w+b", buffering=0) as screen:
        system = make_log(console="plain", console_fd=screen.fileno())
        about = {"instance": "api_services-001", "stream": "api_services", "actor": "/instances/api_services-001"}
        structlog.get_logger("ledger").info("ledger.booked", book="paper", amounts={"USD": "0.05"}, **about)
        structlog.get_logger("x").info("order.over", left={}, transaction=transaction, **about)
        structlog.get_logger("control").info("control.listening", path="/run")
        assert system.flush()
        screen.seek(0)
        booked, order, listening = screen.read().decode().splitlines()
    assert booked.endswith("ledger.booked            instance=api_services-001 book=paper amounts='0.05 USD'")
    assert order.endswith(f"order.over               instance=api_services-001 left=- transaction={transaction}")
    assert listening.endswith("control.listening        [control] path=/run")


def test_plain_text_has_no_escapes_whatever_strangers_send(make_log: MakeLog, tmp_path: Path) -> None:
    with (tmp_path / "screen").open("w+b", buffering=0) as screen:
        system = make_log(console="plain", console_fd=screen.fileno())
        log = structlog.get_logger("x")
        log.warning("fake\x1b[2J\nline", path="/\x1b]0;owned\x07\x9b", deep={"a\x1b": ["\u202e"]})
        try:
            raise ValueError("first\nsecond \x1b[31m")
        except ValueError:
            log.exception("failed", token="sesame")
        assert system.flush()
        screen.seek(0)
        shown = screen.read().decode()
    assert not any(character in shown for character in "\x1b\x07\x9b\u202e")
    assert shown.startswith(shown[:2] + ":")
    first, second, exception, *frames = shown.splitlines()
    assert "fake\\x1b[2J\\nline" in first
    assert "failed" in second
    assert "sesame" not in shown
    assert exception.startswith("ValueError: first")
    assert all(frame.startswith("  at ") or "second \\x1b[31m" in frame for frame in frames)


def test_a_reader_that_is_gone_costs_lines_only(make_log: MakeLog, log_file: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    system = make_log(console="plain", console_fd=writing)
    structlog.get_logger("x").info("a")
    assert system.flush()
    os.close(writing)
    assert system.stats().console_dropped == 1
    assert log_file.read_text().count("\n") == 1


def test_a_reader_that_sleeps_does_not_hold_up_the_file(make_log: MakeLog, log_file: Path) -> None:
    reading, writing = os.pipe()
    try:
        system = make_log(console="plain", console_fd=writing)
        for _ in range(100):
            structlog.get_logger("x").error("a", text="z" * 4000)
        system.flush(0.01)
        assert not system.close(2)
        assert log_file.read_text().count("\n") == 100
    finally:
        os.close(reading)
        os.close(writing)


def test_a_non_blocking_descriptor_is_waited_for() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        line = compose("info", "x", {"event": "a"})
        sink = StreamSink(ours.fileno(), lambda _: b"z" * 300_000 + b"\n")
        received = bytearray()

        def read_all() -> None:
            while len(received) < 300_001:
                received.extend(theirs.recv(65536))

        reader = threading.Thread(target=read_all)
        reader.start()
        assert sink.write([line]) == (0, "")
        reader.join(5)
    assert len(received) == 300_001
