"""The lock of whoever may write to a ledger: one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from orchestrator.money.schema import LedgerFileError


def lock_for_writing(path: Path) -> int:
    """Take the lock that keeps a second writer out; it goes with its holder, however that ends.

    Returns:
        The descriptor that holds it; closing that lets go.

    Raises:
        LedgerFileError: Another process has it.
        OSError: It cannot be made.
    """
    lock_path = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise LedgerFileError(path, f"another process books in it (it holds {lock_path})") from None
    return descriptor


def is_being_written(path: Path) -> bool:
    """Whether some process has that lock now."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
