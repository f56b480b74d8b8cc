"""`fleet_config.json`, `isolation`: what an instance in a process of its own may use, and how long it may be silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from config.errors import Fault

_MIB = 1024 * 1024


class ProcessLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits of each instance whose isolation is `process`. One that goes beyond is ended, told of and restarted.

    Attributes:
        memory_bytes: Memory that it and all its processes have in use together.
        address_space_bytes: Memory that one of its processes may reserve at most, used or not (RLIMIT_AS). It binds
            between two looks, so it lies well above `memory_bytes`: threads and libraries reserve much, and use little.
        cpu_share: Cores that it may keep busy on average over `cpu_window_s`.
        cpu_window_s: Over how long that is counted.
        cpu_s: Processor seconds that one of its processes may use in all (RLIMIT_CPU); null for no end.
        open_files: Files and connections that one of its processes may have open (RLIMIT_NOFILE).
        file_bytes: Largest file that it may write (RLIMIT_FSIZE).
        processes: Processes that it may start, those included that have left its group.
        threads: Threads that all its processes have together.
        nice: How far its processes stand behind the daemon's where the processor is short.
        confined: Keep it to its own directory by the kernel's Landlock, where there is one, and from Unix sockets.
        start_timeout_s: How long it may take until it is ready.
        heartbeat_s: How long it may leave a question unanswered.
        stop_timeout_s: How long it may take to stop in order.
        watch_s: How often what it uses is looked at.
        frame_bytes: Longest message to or from it.
        frames_per_s: Messages that it may send; more are read more slowly.
        lines_per_s: Lines of log and output that it may write; more are dropped, and counted.
    """

    memory_bytes: Annotated[int, msgspec.Meta(ge=32 * _MIB, le=2**44)] = 512 * _MIB
    address_space_bytes: Annotated[int, msgspec.Meta(ge=256 * _MIB, le=2**46)] = 2048 * _MIB
    cpu_share: Annotated[float, msgspec.Meta(ge=0.01, le=1024)] = 0.95
    cpu_window_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0
    cpu_s: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    open_files: Annotated[int, msgspec.Meta(ge=32, le=2**20)] = 1024
    file_bytes: Annotated[int, msgspec.Meta(ge=_MIB, le=2**50)] = 4096 * _MIB
    processes: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 8
    threads: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 128
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 5
    confined: bool = True
    start_timeout_s: Annotated[float, msgspec.Meta(ge=0.5, le=600)] = 25.0
    heartbeat_s: Annotated[float, msgspec.Meta(ge=0.1, le=300)] = 5.0
    stop_timeout_s: Annotated[float, msgspec.Meta(ge=0.1, le=9)] = 8.0
    watch_s: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 0.5
    frame_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024, le=64 * _MIB)] = 4 * _MIB
    frames_per_s: Annotated[float, msgspec.Meta(ge=10, le=1_000_000)] = 10_000.0
    lines_per_s: Annotated[float, msgspec.Meta(ge=1, le=100_000)] = 100.0


def isolation_faults(limits: ProcessLimits, path: str) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    if limits.address_space_bytes < limits.memory_bytes:
        yield Fault(
            f"{path}.address_space_bytes",
            f"at least memory_bytes ({limits.memory_bytes}): what is in use is reserved, too",
            str(limits.address_space_bytes),
        )
