"""`ledger export`, `ledger backup` and `ledger restore`: the books as files.

They read the ledger's file, whether a daemon runs or not: what takes minutes takes none of its turns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from orchestrator.access.cli.books import explained, ledger_file
from orchestrator.access.cli.commands import json_option, member
from orchestrator.access.cli.failures import FAILED, TEMPORARY, USAGE, CommandFailed
from orchestrator.access.cli.ledger.proof import tell
from orchestrator.access.cli.ledger.root import book_option, ledger
from orchestrator.access.cli.output import is_terminal, print_json, say
from orchestrator.access.cli.progress import Progress
from orchestrator.access.cli.target import Target

FORMATS = ("beancount", "csv", "jsonl")

_TELL_EVERY = 1000


@member(
    ledger,
    "export",
    examples=[
        "automate ledger export --format beancount -o books.beancount && bean-check books.beancount",
        "automate ledger export --format csv --book live --from 2026-01-01 --to 2026-01-31 > january.csv",
        "automate ledger export --format jsonl | jq -c 'select(.state == \"pending\")'",
    ],
)
@click.option("--format", "written_as", type=click.Choice(FORMATS), required=True, help="For whom.")
@book_option
@click.option("--from", "since", type=click.DateTime(["%Y-%m-%d"]), help="From this day on, UTC.")
@click.option("--to", "until", type=click.DateTime(["%Y-%m-%d"]), help="Up to this day, included.")
@click.option("-o", "output", type=click.Path(path_type=Path), help="Into this file, which only you can read.")
@click.pass_obj
def export(
    target: Target,
    written_as: Any,
    book: Any,
    since: datetime | None,
    until: datetime | None,
    output: Path | None,
) -> None:
    """Write the books for others to read: one moment of them, however long it takes.

    Days are those on which things happened. In `beancount`, what is pending is flagged and stands on accounts of its
    own; the balances at the end are those that the ledger keeps.
    """
    from orchestrator.money.export.beancount import NotForBeancount
    from orchestrator.money.export.formats import export as lines_of
    from orchestrator.money.export.selection import Selection
    from orchestrator.money.schema import open_reader

    try:
        selection = Selection(book, _day(since), _day(until))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    path = ledger_file(target)
    with (
        Progress() as progress,
        explained(path),
        closing(open_reader(path)) as connection,
        closing(lines_of(connection, written_as, selection)) as moment,
    ):
        lines = _counted(moment, progress)
        try:
            if output is None:
                _write(lines, sys.stdout.buffer)
            else:
                with _replaced(output) as file:
                    _write(lines, file)
        except NotForBeancount as error:
            raise CommandFailed(str(error)) from error


def _day(instant: datetime | None) -> date | None:
    return None if instant is None else instant.date()


def _counted(lines: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if number % _TELL_EVERY == 0:
            progress.show(f"{number:,} written…")
        yield line


def _write(lines: Iterable[bytes], file: BinaryIO) -> None:
    file.writelines(lines)
    file.flush()


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Give a new file that takes the place of another once it is whole and on disk."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb", buffering=1 << 20) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()


@member(
    ledger,
    "backup",
    examples=["automate ledger backup /backup/ledger-$(date +%F).sqlite3"],
)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def backup(target: Target, file: Path, as_json: bool) -> int:
    """Copy the books into a new FILE while the daemon goes on booking, and verify the copy.

    The head that is printed, kept elsewhere, later proves that nothing was cut off.
    """
    from orchestrator.money.backup import NotAsBooked, back_up

    path = ledger_file(target)
    with Progress() as progress, explained(path):
        try:
            report: Any = back_up(path, file, _told(progress, "the copy is verified…"))
        except FileExistsError:
            raise CommandFailed(f"{file} exists already, and no backup is overwritten: choose another name") from None
        except NotAsBooked as error:
            say(f"the ledger is damaged; the copy of it is kept as {error.path}")
            return _report(error.report, as_json)
    say(f"written to {file}")
    return _report(report, as_json)


@member(
    ledger,
    "restore",
    examples=["automate stop; automate ledger restore /backup/ledger-2026-01-31.sqlite3 --yes"],
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def restore(target: Target, file: Path, yes: bool, as_json: bool) -> int:
    """Put the books of a backup in the place of these, once they are verified. No daemon may run.

    The former books stay beside them, under a name that says so. What was booked after the backup is in those only.
    """
    from orchestrator.money.backup import NotAsBooked
    from orchestrator.money.backup import restore as put_in_place

    path = target.paths().ledger
    client = target.reach()
    if client is not None:
        client.close()
        raise CommandFailed("the daemon runs: stop it first, with `automate stop`", TEMPORARY)
    if not yes:
        if not is_terminal(sys.stdin):
            raise CommandFailed(f"this replaces {path}: say so with --yes", USAGE)
        click.confirm(f"Replace {path}? It stays beside the restored one.", abort=True, err=True)
    target.paths().create()
    with Progress() as progress, explained(path):
        try:
            restored = put_in_place(file, path, _told(progress, "the backup is verified…"))
        except NotAsBooked as error:
            say(f"{file} is damaged, and was not restored; nothing has changed")
            return _report(error.report, as_json)
    if restored.former is not None:
        say(f"the former books are {restored.former}")
    say(f"restored to {path}")
    return _report(restored.report, as_json)


def _told(progress: Progress, then: str) -> Any:
    def tell_of(left: int, total: int) -> None:
        progress.show(then if not left else f"{100 * (total - left) // max(total, 1)} % copied…")

    return tell_of


def _report(report: Any, as_json: bool) -> int:
    import msgspec

    told = msgspec.to_builtins(report)
    if as_json:
        print_json(told)
    else:
        tell(told)
    return 0 if told["ok"] else FAILED
