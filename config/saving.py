"""Store a file so that a crash at any moment leaves either the old one or the new one, whole."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

BACKUPS_KEPT = 10
"""Former versions that are kept of each file."""

_ABANDONED_AFTER_S = 600


def write_atomically(file: Path, data: bytes) -> None:
    """Replace a file's content, durably, mode 0600.

    A symbolic link stays one: what it points to is replaced. Raises OSError; the former file stands then.
    """
    target = Path(os.path.realpath(file))
    _remove_abandoned(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    with _removed_on_failure(temporary):
        _create(temporary, data)
        temporary.replace(target)
    sync_directory(target.parent)


def back_up(file: Path, directory: Path) -> Path | None:
    """Copy a file into a directory under its name and the time, and drop all but the newest copies.

    Returns the copy, None where there is no file. Raises OSError; the file itself is never touched.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return None
    copy = _free_name(directory, file, datetime.now(UTC))
    with _removed_on_failure(copy):
        _create(copy, data)
    sync_directory(directory)
    # By name is by time. The new copy stays even if the clock was set back since the others were made.
    others = sorted(other for other in directory.glob(f"{file.stem}.*{file.suffix}") if other != copy)
    for surplus in others[: max(0, len(others) - (BACKUPS_KEPT - 1))]:
        surplus.unlink(missing_ok=True)
    return copy


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_exclusively(file: Path, data: bytes) -> None:
    """Make a file of mode 0600, durably, whole or not at all.

    Raises `FileExistsError` where there is one, whoever made it and however short ago; OSError otherwise.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    with _removed_on_failure(temporary):
        _create(temporary, data)
        # Opening the file itself exclusively would let others read it while it is still empty.
        os.link(temporary, file)
    temporary.unlink()
    sync_directory(file.parent)


def _create(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def _free_name(directory: Path, file: Path, now: datetime) -> Path:
    stamp = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z"
    copy = directory / f"{file.stem}.{stamp}{file.suffix}"
    count = 1
    while copy.exists():
        copy = directory / f"{file.stem}.{stamp}-{count}{file.suffix}"
        count += 1
    return copy


def _remove_abandoned(target: Path) -> None:
    """Remove what a crashed write left; another process may be at work on a young one."""
    for temporary in target.parent.glob(f".{target.name}.*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - temporary.stat().st_mtime > _ABANDONED_AFTER_S:
                temporary.unlink()


@contextmanager
def _removed_on_failure(file: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            file.unlink()
        raise
