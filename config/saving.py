"""Store a file so that a crash at any moment leaves either the old one or the new one, whole."""

from __future__ import annotations

import ctypes
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

BACKUPS_KEPT = 10
"""Former versions that are kept of each file."""

_ABANDONED_AFTER_S = 600

_MANY = 32
"""From this many files on, a sync of the whole file system is the shorter way, even with others' data on it."""


def _find_syncfs() -> Callable[[int], int] | None:
    """Return the C library's syncfs(2), which Python has no name for."""
    found = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if found is not None:
        found.argtypes, found.restype = (ctypes.c_int,), ctypes.c_int
    return found


_syncfs = _find_syncfs()


def write_atomically(file: Path, data: bytes, *, sweep: bool = True) -> None:
    """Replace a file's content, durably, mode 0600.

    A symbolic link stays one: what it points to is replaced. Raises OSError; the former file stands then.

    Args:
        file: Which.
        data: Its new content.
        sweep: Remove what writes to it that were killed have left, too: that reads the whole directory.
    """
    target = Path(os.path.realpath(file))
    if sweep:
        remove_abandoned(target.parent, target.name)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    with _removed_on_failure(temporary):
        _create(temporary, data)
        temporary.replace(target)
    sync_directory(target.parent)


def write_all_atomically(files: Mapping[Path, bytes], *, sweep: bool = True) -> None:
    """Replace the content of many files, durably, mode 0600, in directories that exist.

    Each is whole, the old or the new, whenever a crash comes. A thousand files take two syncs of their file system
    instead of four thousand of their own.

    Raises OSError: those that had their turn are replaced, and the others stand.

    Args:
        files: The new content of each.
        sweep: As `write_atomically` has it; many are never swept.
    """
    if len(files) < _MANY or _syncfs is None:
        for file, data in files.items():
            write_atomically(file, data, sweep=sweep)
        return
    directories = sorted({file.parent for file in files})
    written: dict[Path, Path] = {}
    try:
        for file, data in files.items():
            target = Path(os.path.realpath(file))
            temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
            written[temporary] = target
            _create(temporary, data, sync=False)
        _sync_file_systems(directories)
        for temporary, target in tuple(written.items()):
            temporary.replace(target)
            del written[temporary]
    finally:
        for temporary in written:
            with suppress(OSError):
                temporary.unlink()
    _sync_file_systems(directories)


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


def _sync_file_systems(directories: Iterable[Path]) -> None:
    """Sync each file system that one of the directories is on."""
    assert _syncfs is not None
    done: set[int] = set()
    for directory in directories:
        device = directory.stat().st_dev
        if device in done:
            continue
        done.add(device)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(directory))
        finally:
            os.close(descriptor)


def _create(file: Path, data: bytes, *, sync: bool = True) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor, not a path
        stream.write(data)
        stream.flush()
        if sync:
            os.fsync(descriptor)


def _free_name(directory: Path, file: Path, now: datetime) -> Path:
    stamp = f"{now:%Y%m%dT%H%M%S}.{now.microsecond:06d}Z"
    copy = directory / f"{file.stem}.{stamp}{file.suffix}"
    count = 1
    while copy.exists():
        copy = directory / f"{file.stem}.{stamp}-{count}{file.suffix}"
        count += 1
    return copy


def remove_abandoned(directory: Path, name: str = "*") -> None:
    """Remove what writes that were killed have left of a file, or of all; others may be at work on what is young."""
    for temporary in directory.glob(f".{name}.*.tmp"):
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
