"""What all commands have in common: examples in their help, `--home`, `--json`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from orchestrator.access.cli.target import Target

HELP_OPTIONS = ["-h", "--help"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _aim(ctx: click.Context, param: click.Parameter, home: str | None) -> None:
    if home == "":
        # An unset variable in a script must not lead to another daemon than the one that was meant.
        raise click.BadParameter("it is empty", ctx, param)
    if home is not None:
        ctx.obj = Target(home)


def home_option(function: FunctionT) -> FunctionT:
    """Add `--home`: the command's `Target` is then the daemon of that home."""
    return click.option(
        "--home",
        metavar="DIR",
        expose_value=False,
        is_eager=True,
        callback=_aim,
        help="The daemon's home.  [env: AUTOMATE_HOME]",
    )(function)


def json_option(function: FunctionT) -> FunctionT:
    """Add `--json`, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON; of a list, one object a line.")(function)


class Command(click.Command):
    """A command whose help ends with examples, and that takes `--home`.

    Args:
        arguments: As of `click.Command`.
        examples: Command lines.
        attributes: As of `click.Command`.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples as they are."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Group(click.Group):
    """A group that lists its commands as they were added, and knows which one was meant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name, and its arguments."""
        name = args[0]
        if name[:1].isalnum() and not ctx.resilient_parsing and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{hint}", ctx)
        return super().resolve_command(ctx, args)


def command(name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        return click.command(name, cls=Command, examples=examples)(home_option(function))

    return decorate


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    """Return a decorator that makes a function a group."""
    return click.group(name, cls=Group)


def member(of: Group, name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a function a command of a group."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        made = command(name, examples=examples)(function)
        of.add_command(made)
        return made

    return decorate
