"""The books: through the daemon while it runs, else straight from the ledger's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Raw

from orchestrator.access.cli.failures import CommandFailed
from orchestrator.access.cli.output import say
from orchestrator.access.cli.pages import PAGE, Page, pages
from orchestrator.access.cli.target import Target

if TYPE_CHECKING:
    import sqlite3

    from orchestrator.access.client import Client

EX_DATAERR = 65
VERIFY_S = 610.0
"""A little more than the daemon's own patience with a verification."""


class Books(Protocol):
    """What can be read of a ledger, as the daemon's methods tell it."""

    def totals(self, book: str, by: str | None, *, consolidated: bool) -> Any:
        """Return the income and cost of a book, with or without what instances earned of each other."""

    def entries(self, wanted: Mapping[str, Any], limit: int | None) -> Iterator[Page]:
        """Yield transactions in pages, up to so many."""

    def verify(self) -> Any:
        """Recompute everything, and return the report."""

    def why(self, name: str) -> Any:
        """Tell of the transactions of a name: an id, a key, or what their evidence is called."""


@contextmanager
def open_books(target: Target) -> Iterator[Books]:
    """Give the books of a daemon, whether it runs or not.

    Raises:
        DaemonUnreachable: It does not run, and has no books yet; or it may not be asked.
        CommandFailed: The file is no ledger that can be read.
    """
    client = target.reach(VERIFY_S)
    if client is not None:
        with client:
            yield _OfDaemon(client)
        return
    path = ledger_file(target)
    say(f"no daemon runs; reading {path}")
    yield _OfFile(path)


def ledger_file(target: Target) -> Path:
    """Return where the books of a daemon are, whether it runs or not.

    Raises:
        DaemonUnreachable: There are none yet, and no daemon runs.
    """
    path = target.paths().ledger
    if not path.exists():
        target.call("system.ping")  # says that no daemon runs, and how to start one
    return path


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Have what is wrong with a ledger's file told as a command's failure.

    Raises:
        CommandFailed: It cannot be read.
    """
    import sqlite3

    from orchestrator.money.schema import LedgerFileError

    try:
        yield
    except LedgerFileError as error:
        raise CommandFailed(str(error), EX_DATAERR) from error
    except sqlite3.Error as error:
        raise CommandFailed(f"{path} cannot be read: {error}", EX_DATAERR) from error


class _OfDaemon:
    def __init__(self, client: Client) -> None:
        self._client = client

    def totals(self, book: str, by: str | None, *, consolidated: bool) -> Any:
        return self._client.call("ledger.totals", {"book": book, "by": by, "consolidated": consolidated})

    def entries(self, wanted: Mapping[str, Any], limit: int | None) -> Iterator[Page]:
        return pages(self._client, "ledger.entries", wanted, limit)

    def verify(self) -> Any:
        return self._client.call("ledger.verify")

    def why(self, name: str) -> Any:
        return self._client.call("ledger.why", {"id": name})


class _OfFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def totals(self, book: str, by: str | None, *, consolidated: bool) -> Any:
        from orchestrator.money.totals import read_totals

        with self._open() as connection:
            totals = read_totals(connection, book, by, consolidated=consolidated)  # type: ignore[arg-type]
            return msgspec.to_builtins(totals)

    def entries(self, wanted: Mapping[str, Any], limit: int | None) -> Iterator[Page]:
        from orchestrator.money.queries import read_entries

        left, cursor = limit, None
        with self._open() as connection:
            while left is None or left > 0:
                size = PAGE if left is None else min(left, PAGE)
                page = read_entries(connection, **wanted, limit=size, cursor=cursor)
                yield Page(tuple(Raw(msgspec.json.encode(entry)) for entry in page.items), page.next_cursor)
                cursor = page.next_cursor
                if cursor is None:
                    return
                if left is not None:
                    left -= len(page.items)

    def verify(self) -> Any:
        from orchestrator.money.verify import verify

        with explained(self._path):
            return msgspec.to_builtins(verify(self._path))

    def why(self, name: str) -> Any:
        from orchestrator.money.story import read_stories

        with self._open() as connection:
            return msgspec.to_builtins(read_stories(connection, name))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        from orchestrator.money.schema import open_reader

        with explained(self._path), closing(open_reader(self._path)) as connection:
            yield connection
