"""The machine: Python, disk, memory, clock, the limit on open files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.access.doctor.finding import Case, Finding, note, ok, problem

OLDEST_PYTHON: Final = (3, 11)
LEAST_DISK_BYTES: Final = 256 * 2**20
LITTLE_DISK_BYTES: Final = 2 * 2**30
FEW_INODES: Final = 10_000
FILES_PER_INSTANCE: Final = 8
FILES_BESIDE: Final = 256
AHEAD_S: Final = 120.0
OLDEST_CLOCK: Final = datetime(2025, 1, 1, tzinfo=UTC)

_TIMEDATECTL_S: Final = 3.0


def python(case: Case) -> Iterator[Finding]:
    """Look at the interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield problem(
            "python",
            f"Python {version} is too old",
            f"install Python {oldest} or later, and run ./AUTOMATE_EVERYTHING.sh",
        )
    else:
        yield ok("python", f"Python {version} ({sys.executable})")


def disk(case: Case) -> Iterator[Finding]:
    """Look at the file system that holds the home."""
    place = nearest_existing(case.paths.home)
    usage = shutil.disk_usage(place)
    free = f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.1f} are free at {place}"
    if usage.free < LEAST_DISK_BYTES:
        yield problem("disk", free, "make room: while the disk is full nothing can be booked, and so nothing is sold")
    elif usage.free < LITTLE_DISK_BYTES:
        yield note("disk", free, "make room before it is needed; log_files_kept and log_max_bytes bound the logs")
    else:
        yield ok("disk", free)
    files = os.statvfs(place)
    if files.f_files and files.f_favail < FEW_INODES:
        yield problem(
            "disk", f"only {files.f_favail} more files can be made at {place}", "remove files that are not needed"
        )


def memory(case: Case) -> Iterator[Finding]:
    """Look at the memory that can be had."""
    import psutil

    available = psutil.virtual_memory().available
    told = f"{available / 2**20:.0f} MiB can be had"
    if available < 128 * 2**20:
        yield problem("memory", told, "end other programs, or run fewer instances (`automate scale STREAM N`)")
    else:
        yield ok("memory", told)


def open_files(case: Case) -> Iterator[Finding]:
    """Compare the limit on open files with what the fleet needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if case.settings is None:
        return
    count = sum(plan.count for plan in case.settings.fleet.streams.values())
    needed = FILES_BESIDE + FILES_PER_INSTANCE * count
    limit = "any number of" if hard == resource.RLIM_INFINITY else str(hard)
    told = f"{limit} files may be open; {count} instances need {needed}"
    if hard != resource.RLIM_INFINITY and hard < needed:
        remedy = f"raise it: LimitNOFILE={needed} in the unit, or `ulimit -Hn {needed}` before the start"
        yield problem("open files", told, remedy)
    else:
        yield ok("open files", told)


def clock(case: Case) -> Iterator[Finding]:
    """Look whether the clock is sane: receipts, signatures and rate limits go by it."""
    now = datetime.now(UTC)
    remedy = "set the clock (`timedatectl set-ntp true`), then look at the ledger's last bookings"
    if now < OLDEST_CLOCK:
        yield problem("clock", f"it says {now:%Y-%m-%d %H:%M}", remedy)
        return
    ahead = [(written_s, file) for file in (case.paths.log_file, case.paths.ledger) if (written_s := _written_s(file))]
    last_s, file = max(ahead, default=(0.0, case.paths.ledger))
    if last_s - time.time() > AHEAD_S:
        yield problem("clock", f"{file} was written {last_s - time.time():.0f} s from now: the clock went back", remedy)
        return
    synchronised = _synchronised()
    if synchronised == "no":
        yield note(
            "clock", f"it says {now:%Y-%m-%d %H:%M:%S} UTC, and nothing keeps it right", "timedatectl set-ntp true"
        )
    else:
        yield ok(
            "clock", f"it says {now:%Y-%m-%d %H:%M:%S} UTC{', kept right by NTP' if synchronised == 'yes' else ''}"
        )


def nearest_existing(path: Path) -> Path:
    """Return a path, or the nearest directory above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _written_s(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _synchronised() -> str:
    """Return what systemd says on whether something keeps the clock right: yes, no, or nothing."""
    command = shutil.which("timedatectl")
    if command is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - words of this file
            [command, "show", "--property=NTPSynchronized", "--value"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEDATECTL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
