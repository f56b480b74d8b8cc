"""What a person may have an instance do, each asked about first."""

from __future__ import annotations

from typing import Final, NamedTuple


class Command(NamedTuple):
    """A command of the fleet.

    Attributes:
        key: What is pressed.
        name: `fleet.<name>` is the method.
        consequence: What the question says.
    """

    key: str
    name: str
    consequence: str


COMMANDS: Final = {
    command.name: command
    for command in (
        Command("r", "restart", "It is stopped and started, with a fresh restart budget."),
        Command("p", "pause", "It takes no new work until it is resumed."),
        Command("c", "resume", "It takes work again."),
        Command("x", "stop", "It stays stopped, over the daemon's restarts too, until it is started by hand."),
        Command("g", "start", "It is started, with a fresh restart budget."),
    )
}
