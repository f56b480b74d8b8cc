"""The ledger's tables, and how a connection to them is opened."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from orchestrator.money.copying import copy_database, name_beside, sync

APPLICATION_ID: Final = 0x4175_4C67
"""`AuLg`: what `file` and SQLite see in the header of a ledger."""

_OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables


def _never_changed(*tables: str) -> tuple[str, ...]:
    """Return the triggers that keep a mistake in a program from changing what is booked."""
    return tuple(
        f"""
        CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}
        BEGIN SELECT RAISE(ABORT, '{table} are never changed: book a correction'); END
        """
        for table in tables
        for verb in ("UPDATE", "DELETE")
    )


# Text that repeats on every row (who earned it, which account) is interned in `origins` and `accounts`, so
# that a row stays small: what a booking costs is mostly the pages it dirties.
_FIRST_VERSION: Final = (
    """
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        book TEXT NOT NULL,
        stream TEXT NOT NULL,
        instance TEXT NOT NULL,
        UNIQUE (book, stream, instance)
    ) STRICT
    """,
    """
    CREATE TABLE transactions (
        sequence INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        origin INTEGER NOT NULL REFERENCES origins (id),
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        occurred_at INTEGER NOT NULL,
        booked_at INTEGER NOT NULL,
        memo TEXT NOT NULL,
        corrects BLOB REFERENCES transactions (id),
        reason TEXT,
        evidence_kind TEXT NOT NULL,
        evidence_external_id TEXT NOT NULL,
        evidence_digest BLOB NOT NULL,
        meters TEXT,
        body_digest BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX transactions_by_origin ON transactions (origin)",
    """
    CREATE TABLE postings (
        sequence INTEGER NOT NULL REFERENCES transactions (sequence),
        n INTEGER NOT NULL,
        account INTEGER NOT NULL REFERENCES accounts (id),
        asset TEXT NOT NULL,
        units INTEGER NOT NULL,
        PRIMARY KEY (sequence, n)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE evidence (
        sequence INTEGER PRIMARY KEY REFERENCES transactions (sequence),
        artefact BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE balances (
        origin INTEGER NOT NULL REFERENCES origins (id),
        account INTEGER NOT NULL REFERENCES accounts (id),
        asset TEXT NOT NULL,
        state TEXT NOT NULL,
        day TEXT NOT NULL,
        units INTEGER NOT NULL,
        PRIMARY KEY (origin, account, asset, state, day)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE meters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    *_never_changed("accounts", "origins", "transactions", "postings", "evidence"),
)

# What plain posted transactions need none of, so that they cost nothing: `steps` and `expiries` are part of what was
# booked, `states` follows from them, as balances do. A transaction without a row in it is posted.
_STATES: Final = (
    """
    CREATE TABLE steps (
        sequence INTEGER PRIMARY KEY REFERENCES transactions (sequence),
        target INTEGER NOT NULL REFERENCES transactions (sequence),
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        UNIQUE (target, outcome)
    ) STRICT
    """,
    """
    CREATE TABLE expiries (
        sequence INTEGER PRIMARY KEY REFERENCES transactions (sequence),
        expires_at INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE states (
        sequence INTEGER PRIMARY KEY REFERENCES transactions (sequence),
        origin INTEGER NOT NULL REFERENCES origins (id),
        state TEXT NOT NULL,
        expires_at INTEGER
    ) STRICT
    """,
    "CREATE INDEX states_by_origin ON states (origin, state)",
    "CREATE INDEX states_by_expiry ON states (expires_at) WHERE expires_at IS NOT NULL",
    *_never_changed("steps", "expiries"),
)

# What is asked for again and again, kept so that it need not be summed: `orchestrator/money/movements.py` says what
# stands in them. A sum is kept in two parts, for SQLite refuses one past 64 bits.
_PARTS: Final = "sum(units / 1000000000), sum(units % 1000000000)"
_INTERNAL: Final = "name GLOB 'income:internal:*' OR name GLOB 'cost:internal:*'"
_SUMS: Final = (
    """
    CREATE TABLE sums (
        origin INTEGER NOT NULL REFERENCES origins (id),
        account INTEGER NOT NULL REFERENCES accounts (id),
        asset TEXT NOT NULL,
        state TEXT NOT NULL,
        billions INTEGER NOT NULL,
        rest INTEGER NOT NULL,
        PRIMARY KEY (origin, account, asset, state)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE flows (
        grain TEXT NOT NULL,
        starts TEXT NOT NULL,
        book TEXT NOT NULL,
        stream TEXT NOT NULL,
        kind TEXT NOT NULL,
        internal INTEGER NOT NULL,
        asset TEXT NOT NULL,
        state TEXT NOT NULL,
        billions INTEGER NOT NULL,
        rest INTEGER NOT NULL,
        PRIMARY KEY (grain, starts, book, stream, kind, internal, asset, state)
    ) STRICT, WITHOUT ROWID
    """,
    f"INSERT INTO sums SELECT origin, account, asset, state, {_PARTS} FROM balances GROUP BY 1, 2, 3, 4",  # noqa: S608
    f"""
    INSERT INTO flows
    SELECT 'day', day, book, stream, kind, {_INTERNAL}, asset, state, {_PARTS}
    FROM balances JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE kind IN ('income', 'cost')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    """,  # noqa: S608
    f"""
    INSERT INTO flows
    SELECT 'hour', strftime('%Y-%m-%dT%H', occurred_at / 1000000, 'unixepoch'), book, stream, accounts.kind,
           {_INTERNAL}, asset, moved.state, {_PARTS}
    FROM (
        SELECT occurred_at, origin, account, asset, state, units FROM transactions JOIN postings USING (sequence)
        UNION ALL
        SELECT occurred_at, origin, account, asset, 'pending', -units
        FROM steps JOIN transactions ON transactions.sequence = target JOIN postings ON postings.sequence = target
        WHERE outcome IN ('posted', 'voided', 'expired')
    ) AS moved JOIN origins ON origins.id = origin JOIN accounts ON accounts.id = account
    WHERE accounts.kind IN ('income', 'cost')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    """,  # noqa: S608
    # Of the few that correct another one: what plain bookings cost stays the same.
    "CREATE INDEX transactions_by_correction ON transactions (corrects) WHERE corrects IS NOT NULL",
)

_MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (_FIRST_VERSION, _STATES, _SUMS)
"""Statements that lead from version n to n + 1; the first make an empty file a ledger."""

SCHEMA_VERSION: Final = len(_MIGRATIONS)

_READ_SCHEMA: Final = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'"


class LedgerFileError(Exception):
    """The file cannot serve as a ledger; the text says which file, why, and what to do."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


def open_writer(path: Path, *, keep_earlier_version: bool = True) -> sqlite3.Connection:
    """Open the ledger for writing; make it (0600) or bring it to this version's tables where needed.

    Before tables of an earlier version are touched, a copy of the whole ledger is put beside it, `ledger.v1-….sqlite3`.
    The connection may be handed to another thread, and is in autocommit mode. A commit on it is on disk
    when it returns. Checkpoints are left to the caller.

    Args:
        path: The file.
        keep_earlier_version: Whether to make that copy; without, for a file that is a copy itself.

    Raises:
        LedgerFileError: The file is no ledger, was written by a newer version, or SQLite is too old.
        sqlite3.Error: It cannot be opened or written.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise LedgerFileError(
            path, f"needs SQLite {'.'.join(map(str, _OLDEST_SQLITE))}, this is {sqlite3.sqlite_version}"
        )
    _make_private_file(path)
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        with _not_a_database_is_named(path):
            _check_identity(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("PRAGMA cache_size = -16384")
            # Rows are never deleted, so there is nothing to wipe; some builds wipe by default, and pay for it.
            connection.execute("PRAGMA secure_delete = OFF")
            # The writer makes parent and child in one transaction; `verify` checks that it did.
            connection.execute("PRAGMA foreign_keys = OFF")
            if keep_earlier_version:
                _keep_earlier_version(connection, path)
            _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, *, of_any_version: bool = False) -> sqlite3.Connection:
    """Open the ledger, or a copy of one, for reading only; it may be handed to another thread.

    Args:
        path: The file.
        of_any_version: Whether tables of an earlier version will do, too.

    Raises:
        LedgerFileError: There is no such file, it is no ledger, or it has another version's tables.
        sqlite3.Error: It cannot be opened.
    """
    if not path.is_file():
        raise LedgerFileError(path, "there is no ledger here")
    location = f"file:{quote(str(path.absolute()))}?mode=ro"
    if not os.access(path.parent, os.W_OK, effective_ids=True) and not path.with_name(f"{path.name}-wal").exists():
        # SQLite cannot make its shared-memory file beside a copy on a read-only medium; nobody writes there.
        location += "&immutable=1"
    connection = sqlite3.connect(location, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        with _not_a_database_is_named(path):
            version = _check_identity(connection, path)
            if version != SCHEMA_VERSION and not (of_any_version and version):
                raise LedgerFileError(
                    path, f"has tables of version {version}, not {SCHEMA_VERSION}: start the daemon on it once"
                )
    except BaseException:
        connection.close()
        raise
    return connection


def schema_problems(connection: sqlite3.Connection) -> list[str]:
    """Return what differs between a ledger's tables, indexes and triggers and this version's."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        _migrate(model)
        expected = set(model.execute(_READ_SCHEMA))
    found = set(connection.execute(_READ_SCHEMA))
    return [
        *(f"{kind} {name} is missing or changed" for kind, name, _ in sorted(expected - found)),
        *(f"{kind} {name} is not of this version" for kind, name, _ in sorted(found - expected)),
    ]


def _make_private_file(path: Path) -> None:
    """Make the file with 0600 before SQLite does; it gives its `-wal` and `-shm` the same mode."""
    # Never opened when it exists: closing any descriptor of a file drops this process's POSIX locks on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _check_identity(connection: sqlite3.Connection, path: Path) -> int:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != APPLICATION_ID and (application_id or version or tables):
        raise LedgerFileError(path, "is a database of something else; move it away or choose another home")
    if version > SCHEMA_VERSION:
        raise LedgerFileError(
            path, f"was written by a newer automate (tables {version}, known {SCHEMA_VERSION}): upgrade"
        )
    return int(version)


def _keep_earlier_version(connection: sqlite3.Connection, path: Path) -> None:
    """Copy a ledger that is about to be changed. The copy stays: to remove it is for people, once they are content."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 < version < SCHEMA_VERSION:
        return
    copy = name_beside(path, f"v{version}")
    copy_database(connection, copy)
    try:
        with closing(sqlite3.connect(f"file:{quote(str(copy.absolute()))}?mode=ro", uri=True)) as check:
            (found,) = check.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            problem = found.splitlines()[-1]
            raise LedgerFileError(path, f"is damaged ({problem}) and was not brought up to date; restore a backup")
        sync(copy.parent)
    except BaseException:
        copy.unlink()
        raise


def _migrate(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _not_a_database_is_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        damaged = error.sqlite_errorcode in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
        if damaged or "unsupported file format" in str(error):
            raise LedgerFileError(path, f"is damaged or no database ({error}); restore a backup") from error
        raise
    except UnicodeDecodeError as error:  # SQLite quotes the damaged text in its own message
        raise LedgerFileError(path, "is damaged: its tables cannot be read; restore a backup") from error
