from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from orchestrator.access.cli.output import Column, Styled, duration, print_table, visible
from tests.orchestrator.access.cli.conftest import COMMAND, environment


def on_a_terminal(home: Path, *arguments: str, columns: int = 100, **environ: str) -> str:
    """Return what a command shows on a terminal."""
    ours, its = pty.openpty()
    try:
        settings = environment(home, TERM="xterm-256color", COLUMNS=str(columns), **environ)
        process = subprocess.Popen([*COMMAND, *arguments], env=settings, stdin=its, stdout=its, stderr=its)
        os.close(its)
        shown = b""
        while True:
            try:
                shown += (chunk := os.read(ours, 65_536))
            except OSError:  # how Linux says that nobody holds the other side any more
                break
            if not chunk:
                break
        assert process.wait(20) == 0, shown
    finally:
        os.close(ours)
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (10.4, "10 s"),
        (59.7, "1 min"),
        (312, "5 min 12 s"),
        (7_380, "2 h 3 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_durations_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert visible("a\x1b[2Jb\r\n\u202ec") == "a\\x1b[2Jb\\r\\n\\u202ec"
    assert visible("Jörg €") == "Jörg €"


def test_a_table_in_a_pipe_is_plain_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    print_table(
        [Column("name"), Column("n", right=True), Column("why", yields=True)],
        [["a", 7, long], [Styled("[red]b", "red"), 10_000, None]],
    )
    assert capsys.readouterr().out.splitlines() == [
        "name        n  why",
        f"a           7  {long}",
        "[red]b  10000",
    ]


def test_a_table_on_a_narrow_terminal_keeps_what_people_copy(home: Path) -> None:
    shown = on_a_terminal(home, "ledger", "entries", "--limit", "1", columns=40)
    assert "…" not in shown
    assert "tx_" in shown


def test_people_get_colours_and_programs_do_not(home: Path) -> None:
    for arguments in (["status"], ["fleet", "list"], ["logs", "-n", "2"]):
        assert "\x1b[" in on_a_terminal(home, *arguments), arguments
        done = subprocess.run([*COMMAND, *arguments], env=environment(home), capture_output=True, text=True, check=True)
        assert "\x1b[" not in done.stdout, arguments


def test_people_who_want_no_colours_get_none(home: Path) -> None:
    for arguments in (["tree"], ["fleet", "list"], ["logs", "-n", "2"]):
        assert "\x1b[" not in on_a_terminal(home, *arguments, NO_COLOR="1"), arguments


def test_people_get_json_indented(home: Path) -> None:
    assert on_a_terminal(home, "ping", "--json").startswith('{\n  "pong": true')


def test_logs_are_pretty_on_a_terminal_and_json_lines_when_asked(home: Path) -> None:
    assert "instance.ready" in on_a_terminal(home, "logs", "--instance", "api_services-001")
    assert on_a_terminal(home, "logs", "-n", "1", "--json").startswith('{"timestamp":')


def test_waiting_shows_progress_on_a_terminal(home: Path) -> None:
    shown = on_a_terminal(home, "ledger", "verify")
    assert "verifying the ledger" in shown
    assert shown.index("\x1b[2K") < shown.index("the ledger is as it was booked")
