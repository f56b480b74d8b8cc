"""`top` before its page is drawn, and what a terminal gets of the log; the page has its own tests."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

from tests.orchestrator.access.cli.conftest import COMMAND, Automate, environment


def on_a_terminal(home: Path, *arguments: str) -> tuple[int, str]:
    """Run a command whose standard streams are a terminal; return its status and what it wrote."""
    leader, terminal = pty.openpty()
    try:
        environ = environment(home, TERM="xterm")
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=environ, stdin=terminal, stdout=terminal, stderr=terminal
        )
    finally:
        os.close(terminal)
    written = bytearray()
    try:
        while chunk := os.read(leader, 65536):
            written += chunk
    except OSError:  # the other side of a terminal has closed
        pass
    finally:
        os.close(leader)
    return process.wait(20), written.decode()


def test_top_in_a_pipe_says_what_to_use_there(automate: Automate, home: Path) -> None:
    told = automate("top", home=home)
    assert (told.status, told.out) == (64, "")
    assert "automate status --json" in told.err


def test_top_without_a_daemon_ends_with_69_before_it_draws_anything(tmp_path: Path) -> None:
    status, written = on_a_terminal(tmp_path, "top")
    assert status == 69
    assert "no daemon listens" in written
    assert "\x1b[?1049h" not in written


def test_the_log_is_for_people_on_a_terminal_and_json_where_that_is_asked_for(home: Path) -> None:
    status, written = on_a_terminal(home, "logs", "-n", "5")
    assert status == 0
    assert "\x1b[" in written
    assert not any(line.startswith("{") for line in written.splitlines())
    status, written = on_a_terminal(home, "logs", "-n", "5", "--json")
    assert status == 0
    assert len([json.loads(line) for line in written.splitlines()]) == 5
