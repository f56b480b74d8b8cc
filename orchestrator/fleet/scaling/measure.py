"""Measures: processors and memory of what the fleet may use, what the fleet takes of it, and how the loop keeps up.

What cannot be measured is None, never a number that somebody might act upon.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
import psutil

from orchestrator.fleet.scaling.figures import Figures
from orchestrator.fleet.scaling.limits import GroupLimits, read_limits

LAG_EVERY_S: Final = 0.5
"""How often it is looked at how late the loop is."""

_LAGS_KEPT: Final = 8192
_LEFT_OUT: Final = 0.05

ProcessKey: TypeAlias = tuple[int, float]
"""A process id and when that process began: ids are used again."""


class Reading(msgspec.Struct, frozen=True):
    """Counters at one moment; the difference of two is what was used between them.

    Attributes:
        at_s: When, monotonic.
        slept_s: How long the machine has slept since it was booted.
        processors: How many this process may run on.
        busy_s: What was used of those, by whomever.
        total_s: What there was of them.
        groups: What the control groups leave, and what they used.
        processes: Processor time of the daemon and each of its child processes.
        fleet_memory_bytes: What those hold.
        memory_total_bytes: What the machine has.
        memory_free_bytes: What of it could be had.
    """

    at_s: float
    slept_s: float
    processors: int
    busy_s: float | None
    total_s: float | None
    groups: GroupLimits
    processes: dict[ProcessKey, float]
    fleet_memory_bytes: int | None
    memory_total_bytes: int | None
    memory_free_bytes: int | None


class Measurement(msgspec.Struct, frozen=True):
    """What was measured since the last time.

    Attributes:
        figures: The figures, without how many instances there are.
        slept_s: How long the machine slept meanwhile.
    """

    figures: Figures
    slept_s: float


class Meter:
    """Measures between two calls of `measure`. All of it is for the loop's thread, where the loop is to be measured.

    Args:
        read: Reads the counters, in a thread.
    """

    def __init__(self, read: Callable[[], Reading] | None = None) -> None:
        self._read = read or take_reading
        self._before: Reading | None = None
        self._thread_s = 0.0
        self._since_s = 0.0
        self._lags: list[float] = []

    async def begin(self) -> None:
        """Take the first reading; what is used from now on is in the first measurement."""
        await self.measure(0.0)

    async def watch_loop(self, interval_s: Callable[[], float]) -> None:
        """Note how late the loop is, again and again, until cancelled.

        Args:
            interval_s: How often it is measured; there are some looks between two measurements in any case.
        """
        loop = asyncio.get_running_loop()
        while True:
            pause_s = min(LAG_EVERY_S, interval_s() / 4)
            due_s = loop.time() + pause_s
            await asyncio.sleep(pause_s)
            if len(self._lags) < _LAGS_KEPT:
                self._lags.append(max(0.0, loop.time() - due_s))

    async def measure(self, t_s: float) -> Measurement:
        """Return what was used since the last time; nothing of that is known the first time.

        Args:
            t_s: What time it is for those who decide, monotonic.
        """
        before, since_s, thread_s = self._before, self._since_s, self._thread_s
        self._since_s, self._thread_s = time.monotonic(), time.thread_time()
        lags, self._lags = self._lags, []
        try:
            after = await asyncio.to_thread(self._read)
        except (OSError, ValueError, psutil.Error):
            self._before = None
            return Measurement(Figures(t_s), 0.0)
        self._before = after
        if before is None:
            return Measurement(Figures(t_s), 0.0)
        elapsed_s = self._since_s - since_s
        loop = min(1.0, (self._thread_s - thread_s) / elapsed_s) if elapsed_s > 0 else None
        figures = figures_between(before, after, t_s, loop, worst_lag_s(lags))
        return Measurement(figures, max(0.0, after.slept_s - before.slept_s))


def worst_lag_s(lags: list[float]) -> float | None:
    """Return the worst of some lags, one in twenty left out; None where there are none."""
    if not lags:
        return None
    return sorted(lags)[math.ceil(len(lags) * (1 - _LEFT_OUT)) - 1]


def figures_between(before: Reading, after: Reading, t_s: float, loop: float | None, lag_s: float | None) -> Figures:
    """Return what was used between two readings.

    Processors and memory are the fuller of two: the machine's, of which others take their part, and the control
    group's, which is the fleet's own limit.
    """
    elapsed_s = after.at_s - before.at_s
    quota, former = after.groups.cpu, before.groups.cpu
    machine, fleet = _machine_share(before, after), _fleet_cores(before, after, elapsed_s)
    cpu = _most(machine, _quota_share(before, after, elapsed_s))
    # Each is read at a moment of its own, so that the difference may come out a little below nothing.
    others = max(0.0, machine * after.processors - fleet) if machine is not None and fleet is not None else None
    limit = after.groups.memory
    memory = _most(
        1 - after.memory_free_bytes / after.memory_total_bytes
        if after.memory_total_bytes and after.memory_free_bytes is not None
        else None,
        limit.used_bytes / limit.limit_bytes if limit is not None else None,
    )
    totals = [each for each in (after.memory_total_bytes, limit and limit.limit_bytes) if each]
    cores = min(float(after.processors), quota.cores if quota is not None and former is not None else math.inf)
    return Figures(
        t_s=t_s,
        cpu=_rounded(cpu),
        memory=_rounded(memory),
        loop=_rounded(loop),
        lag_s=_rounded(lag_s),
        cores=round(cores, 3),
        fleet_cores=_rounded(fleet),
        other_cores=_rounded(others),
        memory_limit_bytes=min(totals, default=None),
        fleet_memory_bytes=after.fleet_memory_bytes,
    )


def _machine_share(before: Reading, after: Reading) -> float | None:
    if before.busy_s is None or before.total_s is None or after.busy_s is None or after.total_s is None:
        return None
    total_s = after.total_s - before.total_s
    return (after.busy_s - before.busy_s) / total_s if total_s > 0 else None


def _quota_share(before: Reading, after: Reading, elapsed_s: float) -> float | None:
    was, now = before.groups.cpu, after.groups.cpu
    if was is None or now is None or elapsed_s <= 0 or now.used_s < was.used_s:
        return None
    return (now.used_s - was.used_s) / (elapsed_s * now.cores)


def _fleet_cores(before: Reading, after: Reading, elapsed_s: float) -> float | None:
    """Return how many processors the processes used; those that ended meanwhile are left out."""
    if elapsed_s <= 0:
        return None
    used_s = sum(max(0.0, now_s - before.processes.get(key, 0.0)) for key, now_s in after.processes.items())
    return used_s / elapsed_s


def _most(*shares: float | None) -> float | None:
    return max((min(1.0, max(0.0, share)) for share in shares if share is not None), default=None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def take_reading() -> Reading:
    """Read all counters. Blocks for some milliseconds."""
    processors = os.sched_getaffinity(0)
    busy_s, total_s = _processor_times(processors)
    memory = psutil.virtual_memory()
    processes, held = _processes()
    return Reading(
        at_s=time.monotonic(),
        slept_s=time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC),
        processors=len(processors),
        busy_s=busy_s,
        total_s=total_s,
        groups=read_limits(),
        processes=processes,
        fleet_memory_bytes=held,
        memory_total_bytes=memory.total,
        memory_free_bytes=memory.available,
    )


def _processor_times(processors: set[int]) -> tuple[float | None, float | None]:
    every = psutil.cpu_times(percpu=True)
    ours = [every[number] for number in processors if number < len(every)]
    if not ours:
        return None, None
    # A guest's time is part of the user's already.
    total_s = sum(sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0) for times in ours)
    idle_s = sum(times.idle + getattr(times, "iowait", 0.0) for times in ours)
    return total_s - idle_s, total_s


def _processes() -> tuple[dict[ProcessKey, float], int]:
    """Return the processor time of the daemon and its child processes, and the memory that they hold."""
    me = psutil.Process()
    used: dict[ProcessKey, float] = {}
    held = 0
    for process in (me, *me.children(recursive=True)):
        try:
            with process.oneshot():
                times = process.cpu_times()
                held += process.memory_info().rss
                used[process.pid, process.create_time()] = times.user + times.system
        except psutil.Error:
            continue  # it ended just now
    return used, held
