"""`completion`: the shell's Tab key."""

from __future__ import annotations

import click

from orchestrator.access.cli.commands import command


@command(
    "completion",
    examples=[
        "automate completion bash > ~/.local/share/bash-completion/completions/automate",
        'automate completion zsh > "${fpath[1]}/_automate"',
        "automate completion fish > ~/.config/fish/completions/automate.fish",
    ],
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes the shell complete commands.

    And options, and the ids of instances.
    """
    from click.shell_completion import get_completion_class

    from orchestrator.access.cli.program import COMPLETION_VARIABLE, NAME

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(ctx.find_root().command, {}, NAME, COMPLETION_VARIABLE).source())
