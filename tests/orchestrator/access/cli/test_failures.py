from __future__ import annotations

import errno
from pathlib import Path

import click
import pytest

from config.errors import ConfigError, Fault, HomeError
from orchestrator.access.cli.failures import CommandFailed, explain
from orchestrator.access.client import CallTimedOut, DaemonUnreachable, RpcFailure


@pytest.mark.parametrize(
    ("code", "status"),
    [(-32601, 64), (-32602, 64), (-32001, 66), (-32002, 1), (-32003, 77), (-32004, 75), (-32603, 70), (-32700, 70)],
)
def test_what_the_daemon_answers_has_an_exit_status(code: int, status: int) -> None:
    assert explain(RpcFailure(code, "no"))[0] == status


def test_the_data_of_an_answer_is_told_in_words() -> None:
    data = {"path": "$.state", "expected": "one of ready, failed", "nearest": "ready", "reference": "ab12"}
    assert explain(RpcFailure(-32602, "Invalid params", data))[1].splitlines() == [
        "automate: Invalid params",
        "  $.state: expected one of ready, failed",
        "  did you mean 'ready'?",
        "  reference: ab12",
    ]
    assert explain(RpcFailure(-32602, "Invalid params", "too many"))[1].endswith("\n  too many")


def test_the_projects_own_failures_keep_their_exit_status() -> None:
    assert explain(DaemonUnreachable("not there")) == (69, "automate: not there")
    assert explain(CallTimedOut("system.ping", 1.0))[0] == 75
    assert explain(HomeError("too long"))[0] == 78
    assert explain(CommandFailed("no", 65)) == (65, "automate: no")


def test_a_daemon_that_may_not_be_reached_is_told_from_one_that_cannot() -> None:
    unreachable = DaemonUnreachable("may not be opened")
    unreachable.__cause__ = PermissionError()
    assert explain(unreachable)[0] == 77


def test_every_problem_of_the_configuration_is_on_a_line_of_its_own() -> None:
    faults = [Fault("$.chaos", "true or false", "7"), Fault("$.mode", "one of two", "8")]
    status, text = explain(ConfigError.of(Path("/x.json"), faults))
    assert status == 78
    assert text.splitlines()[1:] == [
        "/x.json: $.chaos: expected true or false, found 7",
        "/x.json: $.mode: expected one of two, found 8",
    ]


def test_failures_of_the_system_name_their_file() -> None:
    assert explain(OSError(errno.ENOSPC, "No space left on device")) == (74, "automate: No space left on device")
    assert explain(PermissionError(errno.EACCES, "Permission denied", "/etc/x")) == (
        77,
        "automate: /etc/x: Permission denied",
    )


def test_ctrl_c_is_130_and_needs_no_words() -> None:
    assert explain(KeyboardInterrupt()) == explain(click.Abort()) == (130, "")


def test_what_nobody_foresaw_is_70_and_shows_where_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = explain(ZeroDivisionError("by zero"))
    assert status == 70
    assert "ZeroDivisionError: by zero" in text
    assert "Traceback" not in text
    monkeypatch.setenv("AUTOMATE_TRACEBACK", "1")
    assert explain(ZeroDivisionError("by zero"))[1] == "ZeroDivisionError: by zero"
