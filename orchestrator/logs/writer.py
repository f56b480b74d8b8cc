"""From any thread to one: a bounded queue of lines, and the thread that writes them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from orchestrator.logs.line import Line, compose


class Sink(Protocol):
    """Where lines go. Both methods are called by the writer's thread only, and may block it."""

    def write(self, lines: Sequence[Line]) -> tuple[int, str]:
        """Write the lines; return how many were lost and, if any were, why. Does not raise."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class BackgroundWriter:
    """Takes lines without ever waiting, and writes them in a thread of its own.

    Where more comes than the sink can take, or the sink fails, lines are dropped and counted; as soon as
    it works again, a line `logs.dropped` says how many and why. A batch is written at most `linger_s`
    after its first line, at once when it has an error.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        capacity_lines: int = 16_384,
        capacity_bytes: int = 16 * 1024 * 1024,
        linger_s: float = 0.05,
    ) -> None:
        self._sink = sink
        self._name = name
        self._capacity_lines = capacity_lines
        self._capacity_bytes = capacity_bytes
        self._linger_s = linger_s
        # Garbage collection may run a finalizer that logs while this very thread is in `submit`: the lock
        # is reentrant for that, and the wake-up goes through SimpleQueue, whose `put` is made for it.
        self._lock = threading.RLock()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._lines: list[Line] = []
        self._bytes = 0
        self._awake = False
        self._waiters: list[threading.Event] = []
        self._stopping = False
        self._written = 0
        self._dropped = 0
        self._unreported: dict[str, int] = {}
        self._thread: threading.Thread | None = None

    @property
    def written(self) -> int:
        """Lines that reached the sink."""
        return self._written

    @property
    def dropped(self) -> int:
        """Lines that did not, and never will."""
        return self._dropped

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def submit(self, line: Line) -> bool:
        """Queue a line; return whether there was room. Never waits."""
        urgent = line.level >= logging.ERROR
        with self._lock:
            if (
                self._stopping
                or len(self._lines) >= self._capacity_lines
                or self._bytes + len(line.encoded) > self._capacity_bytes
            ):
                self._count_lost(1, "stopped" if self._stopping else "more came than could be written")
                return False
            self._lines.append(line)
            self._bytes += len(line.encoded)
            wake = urgent or not self._awake
            self._awake = True
        if wake:
            self._wake.put(urgent)
        return True

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything submitted so far is with the sink; return whether it was in time."""
        if self._thread is None or not self._thread.is_alive():
            return not self._lines
        done = threading.Event()
        with self._lock:
            self._waiters.append(done)
        self._wake.put(True)
        return done.wait(timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Write what is queued, and end the thread; return whether that was done in time.

        A sink that blocks for longer is left to itself: its thread does not keep the process alive.
        """
        with self._lock:
            self._stopping = True
        if self._thread is None:
            return True
        self._wake.put(True)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            urgent = self._wake.get()
            if not urgent and not self._stopping:
                with contextlib.suppress(Empty):
                    self._wake.get(timeout=self._linger_s)
            lines, waiters, last = self._take()
            self._report()
            self._write(lines)
            if last:
                self._report()
                self._sink.close()
            for waiter in waiters:
                waiter.set()
            if last:
                return

    def _take(self) -> tuple[list[Line], list[threading.Event], bool]:
        while not self._wake.empty():
            self._wake.get()
        with self._lock:
            lines, self._lines = self._lines, []
            waiters, self._waiters = self._waiters, []
            self._bytes = 0
            self._awake = False
            return lines, waiters, self._stopping

    def _report(self) -> None:
        with self._lock:
            reasons, self._unreported = self._unreported, {}
        if not reasons:
            return
        fields = {"event": "logs.dropped", "lines": sum(reasons.values()), "reasons": reasons}
        if self._pass_on([compose("warning", __name__, fields)])[0]:
            with self._lock:
                for reason, count in reasons.items():
                    self._unreported[reason] = self._unreported.get(reason, 0) + count

    def _write(self, lines: list[Line]) -> None:
        if not lines:
            return
        lost, reason = self._pass_on(lines)
        with self._lock:
            self._written += len(lines) - lost
            if lost:
                self._count_lost(lost, reason)

    def _pass_on(self, lines: list[Line]) -> tuple[int, str]:
        try:
            return self._sink.write(lines)
        except Exception as failure:  # noqa: BLE001 - without this thread there is no log; it is told as the reason
            return len(lines), f"{type(failure).__name__}: {failure}"

    def _count_lost(self, count: int, reason: str) -> None:
        self._dropped += count
        if reason in self._unreported or len(self._unreported) < 8:
            self._unreported[reason] = self._unreported.get(reason, 0) + count
        else:
            self._unreported["other"] = self._unreported.get("other", 0) + count
