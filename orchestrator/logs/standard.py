"""The standard library's logging and Python's last resorts, led into the same log."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import structlog

from orchestrator.logs.line import Line, compose, level_name

_RECORD_KEYS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's second copy of its message, with escape codes
    "message",
    "taskName",
}
# A line for every request that an instance answers would drown everything else.
_CHATTY: Final = ("aiohttp.access", "uvicorn.access", "httpx", "httpcore")


class StandardHandler(logging.Handler):
    """Makes a line of each record of the standard library's logging."""

    def __init__(self, submit: Callable[[Line], object]) -> None:
        super().__init__()
        self._submit = submit

    def emit(self, record: logging.LogRecord) -> None:
        """Submit the record; a message whose arguments do not fit it is written as it stands."""
        event = {name: value for name, value in vars(record).items() if name not in _RECORD_KEYS}
        for name, value in structlog.contextvars.get_contextvars().items():
            event.setdefault(name, value)
        try:
            event["event"] = record.getMessage()
        except Exception as failure:  # noqa: BLE001 - arguments are foreign code; the line says what failed
            event["event"] = str(record.msg)
            event["unloggable"] = f"{type(failure).__name__}: {failure}"
        event["exc_info"] = record.exc_info
        event["stack_info"] = record.stack_info
        self._submit(compose(level_name(record.levelno), record.name, event))


class StandardLogging:
    """What is changed in the standard library while the log is set up, and changed back afterwards."""

    def __init__(self, submit: Callable[[Line], object]) -> None:
        self._submit = submit
        self._handler = StandardHandler(submit)
        self._root_level = logging.WARNING
        self._quietened: list[logging.Logger] = []
        self._excepthook: Any = None
        self._thread_excepthook: Any = None

    def install(self, level: int) -> None:
        """Take over: every logger that propagates, warnings, and exceptions that nobody caught."""
        root = logging.getLogger()
        self._root_level = root.level
        root.addHandler(self._handler)
        self.set_level(level)
        logging.captureWarnings(capture=True)
        self._excepthook, sys.excepthook = sys.excepthook, self._uncaught
        self._thread_excepthook, threading.excepthook = threading.excepthook, self._uncaught_in_thread

    def set_level(self, level: int) -> None:
        """Log what has at least this level; request logs of HTTP libraries only at `debug`."""
        logging.getLogger().setLevel(level)
        for logger in self._quietened:
            logger.setLevel(logging.NOTSET)
        self._quietened = []
        if level > logging.DEBUG:
            for logger in map(logging.getLogger, _CHATTY):
                if logger.level == logging.NOTSET:
                    logger.setLevel(logging.WARNING)
                    self._quietened.append(logger)

    def restore(self) -> None:
        """Put everything back as it was."""
        sys.excepthook = self._excepthook
        threading.excepthook = self._thread_excepthook
        logging.captureWarnings(capture=False)
        for logger in self._quietened:
            logger.setLevel(logging.NOTSET)
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._root_level)

    def _uncaught(self, kind: type[BaseException], exception: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, Exception):
            event = {"event": "process.uncaught_exception", "exc_info": exception}
            self._submit(compose("critical", __name__, event))
        self._excepthook(kind, exception, traceback)

    def _uncaught_in_thread(self, failure: threading.ExceptHookArgs) -> None:
        if failure.exc_value is None or issubclass(failure.exc_type, SystemExit):
            return
        event = {
            "event": "thread.uncaught_exception",
            "thread": failure.thread.name if failure.thread is not None else None,
            "exc_info": failure.exc_value,
        }
        self._submit(compose("error", __name__, event))
