"""Finds handlers that block the loop: a thread that notices when the loop no longer answers."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from time import monotonic

from actors.events import LoopBlocked

_log = logging.getLogger("actors.watchdog")


class LoopWatchdog:
    """Asks the loop for a sign of life, and names the line that keeps it from answering.

    The stack is logged from the watchdog's own thread while the loop is still stuck, so that it is known even
    if the loop never comes back; the event follows when it does.
    """

    def __init__(
        self,
        path: str,
        *,
        limit_s: float = 1.0,
        interval_s: float = 1.0,
        publish: Callable[[LoopBlocked], object] | None = None,
    ) -> None:
        self._path = path
        self._limit_s = limit_s
        self._interval_s = interval_s
        self._publish = publish
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch the loop, whose thread is the caller's."""
        self._thread = threading.Thread(
            target=self._watch, args=(loop, threading.get_ident()), name="loop-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self, *, wait: bool = True) -> None:
        """Stop watching; with `wait`, returns when the thread has ended."""
        self._ended.set()
        if wait and self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        alive = threading.Event()
        while not self._ended.wait(self._interval_s):
            alive.clear()
            asked = monotonic()
            try:
                loop.call_soon_threadsafe(alive.set)
                if alive.wait(self._limit_s) or self._ended.is_set():
                    continue
                stack = self._stack_of(loop_thread)
                _log.error("the event loop has been blocked for %.1f s in:\n%s", monotonic() - asked, "".join(stack))
                while not alive.wait(0.05):
                    if self._ended.is_set():
                        return
                if self._publish is not None:
                    event = LoopBlocked(path=self._path, blocked_s=monotonic() - asked, stack=stack)
                    loop.call_soon_threadsafe(self._publish, event)
            except RuntimeError:
                return  # the loop is closed

    @staticmethod
    def _stack_of(thread: int) -> tuple[str, ...]:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to another thread's stack
        return tuple(traceback.format_stack(frame)) if frame is not None else ()
