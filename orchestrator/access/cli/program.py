"""`automate` itself: which commands there are, and how each of them ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from orchestrator.access.cli.commands import HELP_OPTIONS, Group, home_option
from orchestrator.access.cli.failures import explain
from orchestrator.access.cli.output import colours_wanted
from orchestrator.access.cli.target import Target

NAME = "automate"
COMPLETION_VARIABLE = "_AUTOMATE_COMPLETE"
"""Set by the shell's completion: what it wants to know."""

_PACKAGE = "orchestrator.access.cli"

SECTIONS: dict[str, dict[str, str]] = {
    "The daemon": {
        "run": "run:run",
        "status": "system:status",
        "health": "health:health",
        "doctor": "doctor:doctor",
        "ping": "system:ping",
        "top": "top:top",
        "tree": "system:tree",
        "logs": "watching:logs",
        "events": "watching:events",
        "open": "gateway:open_gateway",
        "token": "gateway:token",
        "reload": "system:reload",
        "stop": "stopping:stop",
    },
    "The fleet": {
        "fleet": "fleet:fleet",
        "scale": "fleet:scale",
        "scaling": "scaling:scaling",
        "sandbox": "sandbox:sandbox",
        "rollout": "rollout:rollout",
        "keys": "keys:keys",
        "chaos": "chaos:chaos",
    },
    "Money": {
        "ledger": "ledger:ledger",
        "report": "report:report",
        "profit": "profit:profit",
    },
    "Everything else": {
        "config": "configuration:config",
        "service": "service:service",
        "call": "system:call",
        "completion": "completion:completion",
        "version": "system:version",
    },
}
"""Every command, in the order of the help: its module and its name there."""


class Program(Group):
    """The group of all; its commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, None where there is none of that name."""
        for commands in SECTIONS.values():
            if cmd_name in commands:
                module, _, attribute = commands[cmd_name].partition(":")
                command: click.Command = getattr(import_module(f"{_PACKAGE}.{module}"), attribute)
                return command
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, by section."""
        width = max(map(len, self.list_commands(ctx)))
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(self._described(ctx, names, width)))

    def _described(
        self, ctx: click.Context, names: Sequence[str] | dict[str, str], width: int
    ) -> Iterator[tuple[str, str]]:
        for name in names:
            command = self.get_command(ctx, name)
            assert command is not None
            yield name.ljust(width), command.get_short_help_str(90)


@click.group(
    cls=Program,
    context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": 110},
    epilog="Every command explains itself, with examples: automate COMMAND --help",
)
@home_option
@click.version_option(package_name="automate-everything", prog_name=NAME, message="%(prog)s %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Run, watch and steer a supervised fleet of earning instances."""
    if ctx.obj is None:
        ctx.obj = Target()
    ctx.color = None if colours_wanted() else False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status: 0, or as sysexits.h has it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character is no reason to fail
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        _flush()
    except BrokenPipeError:
        # The reader (`| head`) has had enough: that is not this command's failure.
        _give_up_on_output()
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - each is told and has its exit status
        status, text = explain(error)
        with suppress(OSError):
            if text:
                click.echo(text, err=True)
        try:
            _flush()
        except OSError:
            _give_up_on_output()
    return status


def _run(arguments: list[str]) -> int:
    # Not `program.main`: it would end the process, and call a reader who has had enough a failure.
    if instruction := os.environ.get(COMPLETION_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(program, {}, NAME, COMPLETION_VARIABLE, instruction)
    try:
        with program.make_context(NAME, arguments) as ctx:
            result: Any = program.invoke(ctx)
    except click.exceptions.Exit as done:  # `--help` and `--version`
        return done.exit_code
    return result if isinstance(result, int) else 0


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _give_up_on_output() -> None:
    """Keep the interpreter from trying once more, at its end, to write what nobody takes."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
