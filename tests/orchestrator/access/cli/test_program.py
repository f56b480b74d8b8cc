from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from orchestrator.access.cli.commands import Command
from orchestrator.access.cli.program import SECTIONS, program
from tests.orchestrator.access.cli.conftest import Automate, finish, start


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


EVERY = dict(commands(program, "automate"))


def test_the_help_names_every_command_in_a_line_of_its_own(automate: Automate) -> None:
    told = automate("--help")
    assert told.status == 0
    shown = [line.split()[0] for line in told.out.splitlines() if line.startswith("  ") and line.strip()]
    assert [name for names in SECTIONS.values() for name in names] == [
        name for name in shown if name in program_names()
    ]


def program_names() -> set[str]:
    return {name for names in SECTIONS.values() for name in names}


@pytest.mark.parametrize("path", EVERY)
def test_every_command_explains_itself(path: str, automate: Automate) -> None:
    told = automate(*path.split()[1:], "-h")
    assert told.status == 0
    assert f"Usage: {path}" in told.out
    assert EVERY[path].help
    assert max(map(len, told.out.splitlines())) <= 112


@pytest.mark.parametrize("path", [path for path, each in EVERY.items() if isinstance(each, Command)])
def test_every_command_has_examples_that_it_would_take(path: str, automate: Automate) -> None:
    command = EVERY[path]
    assert isinstance(command, Command)
    assert any(path in example for example in command.examples)
    assert f"\nExamples:\n  {command.examples[0]}\n" in automate(*path.split()[1:], "--help").out


def test_a_command_that_is_not_there_is_a_usage_error_and_the_nearest_one_is_named(automate: Automate) -> None:
    told = automate("stauts")
    assert (told.status, told.out) == (64, "")
    assert "no command 'stauts'; did you mean 'status'?" in told.err
    assert "did you mean 'list'?" in automate("fleet", "lst").err
    assert "did you mean" not in automate("qqqqqq").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["fleet"],
        ["fleet", "get"],
        ["scale", "api_services", "many"],
        ["ledger", "totals", "--book", "red"],
        ["status", "--colour"],
        ["status", "--home", ""],
        ["run", "--profile", "half"],
        [],
    ],
)
def test_wrong_usage_ends_with_64_and_says_so_on_standard_error(arguments: list[str], automate: Automate) -> None:
    told = automate(*arguments)
    assert (told.status, told.out) == (64, "")
    assert "Usage:" in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["ping"],
        ["tree"],
        ["stop"],
        ["reload"],
        ["events"],
        ["call", "system.ping"],
        ["fleet", "list"],
        ["fleet", "stop", "api_services-001"],
        ["scale", "api_services", "2"],
        ["rollout", "status", "rollout-0001"],
        ["keys", "list", "api_services-001"],
        ["chaos", "crash", "api_services-001"],
        ["ledger", "totals"],
        ["ledger", "verify"],
    ],
)
def test_without_a_daemon_the_status_is_69_and_the_way_to_one_is_told(
    arguments: list[str], automate: Automate, tmp_path: Path
) -> None:
    told = automate(*arguments, home=tmp_path)
    assert (told.status, told.out) == (69, "")
    assert f"no daemon listens at {tmp_path}/run/control.sock" in told.err
    assert "`automate run`" in told.err
    assert list(tmp_path.iterdir()) == []


def test_home_may_be_named_before_or_behind_the_command_and_beats_the_environment(
    automate: Automate, home: Path, tmp_path: Path
) -> None:
    assert automate("ping", "--home", str(home), home=tmp_path).status == 0
    assert automate("--home", str(home), "ping", home=tmp_path).status == 0
    assert automate("--home", str(tmp_path), "ping", "--home", str(home), home=tmp_path).status == 0
    assert automate("ping", home=tmp_path).status == 69


def test_the_version_is_that_of_the_distribution(automate: Automate) -> None:
    told = automate("version", "--json").document
    assert automate("version").out == f"automate {told['version']} (Python {told['python']})\n"
    assert automate("--version").out == f"automate {told['version']}\n"


def test_ctrl_c_ends_with_130_and_without_a_traceback(home: Path) -> None:
    process = start(home, "logs", "-f", "-n", "1")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.status == 130
    assert ended.err.strip() == ""


def test_a_reader_that_has_had_enough_ends_a_command_quietly(home: Path) -> None:
    process = start(home, "ledger", "entries", "--all", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    first = process.stdout.readline()
    process.stdout.close()
    assert json.loads(first)["sequence"] == 1
    assert process.wait(20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_full_disk_is_told_of_and_the_status_is_74(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = finish(start(home, "ledger", "entries", "--all", "--json", stdout=full))
    assert ended.status == 74
    assert "No space left on device" in ended.err
    assert "Traceback" not in ended.err


def test_status_imports_nothing_that_it_does_not_need(home: Path) -> None:
    heavy = {"asyncio", "structlog", "rich", "litestar", "uvloop", "aiohttp", "orchestrator.daemon", "actors"}
    script = (
        "import sys; from orchestrator.access.cli import main; status = main(sys.argv[1:]);"
        f"sys.exit(', '.join(sorted({heavy} & set(sys.modules))) or status)"
    )
    for arguments in (["status"], ["status", "--json"], ["--help"], ["fleet", "list", "--json"]):
        done = subprocess.run(
            [sys.executable, "-c", script, "--home", str(home), *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_status_is_answered_quickly(home: Path) -> None:
    def worked_s() -> float:
        """Return the command's time on a processor: what it waits for others does not count against it."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert finish(start(home, "status")).status == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    worked_s()  # the bytecode may have to be written
    assert min(worked_s() for _ in range(5)) < 0.3  # 0.12 s on an idle machine


def test_completion_knows_commands_options_and_the_ids_of_instances(home: Path) -> None:
    def completed(words: str, current: str) -> list[str]:
        environ = {"_AUTOMATE_COMPLETE": "bash_complete", "COMP_WORDS": f"{words} {current}"}
        environ["COMP_CWORD"] = str(len(words.split()))
        return finish(start(home, environ=environ)).out.split()

    assert completed("automate", "fl") == ["plain,fleet"]
    assert completed("automate fleet list", "--st") == ["plain,--stream", "plain,--state"]
    assert completed("automate fleet get", "api_services-002") == ["plain,api_services-002"]
    assert completed("automate --home /nowhere fleet get", "api") == []
    assert completed("automate config show", "re") == ["plain,repo_automation", "plain,recovery"]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef automate"), ("fish", "complete ")]
)
def test_completion_prints_what_the_shell_sources(shell: str, mark: str, automate: Automate) -> None:
    told = automate("completion", shell)
    assert told.status == 0
    assert mark in told.out


def test_a_socket_that_is_not_for_this_user_ends_with_77() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    script = """
import os, sys
import config.paths, orchestrator.access.cli.failures, orchestrator.access.cli.system, orchestrator.access.client
from orchestrator.access.cli import main
os.setuid(65534)
sys.exit(main(["status", "--home", sys.argv[1]]))
"""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o755)
        shut = Path(home, "run")
        shut.mkdir(mode=0o700)
        done = subprocess.run([sys.executable, "-c", script, home], capture_output=True, text=True, check=False)
    assert done.returncode == 77, done.stderr
    assert "may not be opened by this user" in done.stderr
