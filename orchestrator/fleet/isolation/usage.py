"""What a process and all its descendants use, read from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")

# Places of /proc/<pid>/stat behind the name in parentheses, see proc_pid_stat(5).
_STATE, _PARENT, _USER, _SYSTEM, _THREADS, _PAGES = 0, 1, 11, 12, 17, 21


class Process(msgspec.Struct, frozen=True):
    """One process, at one moment.

    Attributes:
        pid: Its id.
        parent: Its parent's.
        zombie: Whether it has ended and nobody has asked how.
        cpu_s: Processor seconds that it has used.
        threads: How many it has.
        memory_bytes: Memory in use, what it shares with others included.
    """

    pid: int
    parent: int
    zombie: bool
    cpu_s: float
    threads: int
    memory_bytes: int


class Use(msgspec.Struct, frozen=True):
    """What a tree of processes uses.

    Attributes:
        memory_bytes: Memory in use.
        cpu_s: Processor seconds used so far by those that are there now.
        processes: Processes besides the first.
        threads: Threads of all.
    """

    memory_bytes: int = 0
    cpu_s: float = 0.0
    processes: int = 0
    threads: int = 0


def read_processes(proc: Path = Path("/proc")) -> dict[int, Process]:
    """Return all processes that can be seen, by id. Blocks."""
    found: dict[int, Process] = {}
    for name in os.listdir(proc):  # noqa: PTH208 - a thousand names, several times a second
        if not name.isdigit():
            continue
        try:
            with open(f"{proc}/{name}/stat", "rb") as file:  # noqa: PTH123 - the same
                text = file.read()
        except OSError:
            continue  # it has ended meanwhile
        fields = text[text.rfind(b")") + 2 :].split()
        pid = int(name)
        found[pid] = Process(
            pid=pid,
            parent=int(fields[_PARENT]),
            zombie=fields[_STATE] in (b"Z", b"X"),
            cpu_s=(int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS,
            threads=int(fields[_THREADS]),
            memory_bytes=int(fields[_PAGES]) * _PAGE_BYTES,
        )
    return found


def children_of(processes: Mapping[int, Process]) -> dict[int, list[int]]:
    """Return the children of each process that has any."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    return children


def descendants_of(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    """Return all below a process, parents before their children."""
    found: list[int] = []
    ahead = list(children.get(pid, ()))
    while ahead:
        current = ahead.pop()
        found.append(current)
        ahead += children.get(current, ())
    return found


def proportional_bytes(pids: Iterable[int], processes: Mapping[int, Process], proc: Path = Path("/proc")) -> int:
    """Return the memory of processes in which what several share is shared out; what cannot be seen counts in full.

    Ten times the work of a first look, for those who seem to have too much. Blocks.
    """
    return sum(_proportional(proc / str(pid), processes[pid]) for pid in pids if pid in processes)


def _proportional(place: Path, process: Process) -> int:
    try:
        for line in (place / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return process.memory_bytes


def use_of(pids: Iterable[int], processes: Mapping[int, Process]) -> Use:
    """Add up what processes use; the first of them is not counted as a process."""
    present = [processes[pid] for pid in pids if pid in processes]
    return Use(
        memory_bytes=sum(each.memory_bytes for each in present),
        cpu_s=sum(each.cpu_s for each in present),
        processes=max(0, len(present) - 1),
        threads=sum(each.threads for each in present if not each.zombie),
    )
