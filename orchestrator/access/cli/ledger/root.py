"""The group of all commands that read, prove and keep the books."""

from __future__ import annotations

import click

from orchestrator.access.cli.commands import group

BOOKS = ("paper", "live")

book_option = click.option("--book", type=click.Choice(BOOKS), help="Only this book.")


@group("ledger")
def ledger() -> None:
    """Read, prove and keep the books. They can be read while no daemon runs, too."""
