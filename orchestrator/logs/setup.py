"""Setting the log up, changing its level, and taking it down again."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from orchestrator.logs.console import Console, choose, renderer
from orchestrator.logs.line import LEVELS, Line, compose
from orchestrator.logs.sinks import FileSink, FilesSink, InstanceSink, StreamSink
from orchestrator.logs.standard import StandardLogging
from orchestrator.logs.writer import BackgroundWriter, Sink

LEVEL_VARIABLE: Final = "AUTOMATE_LOG_LEVEL"
_MIB: Final = 1024 * 1024


class UnknownLevelError(ValueError):
    """A level that is none of debug, info, warning, error, critical."""

    exit_code = 78

    def __init__(self, level: str, source: str) -> None:
        super().__init__(f"{source} is {level!r}; it must be one of {', '.join(LEVELS)}")
        self.level = level


class LogLimits(msgspec.Struct, frozen=True):
    """How much is kept.

    Attributes:
        max_bytes: Size at which the daemon's file is rotated.
        keep: Rotated files that stay.
        instance_max_bytes: Size at which an instance's own file is rotated.
        instance_keep: Rotated files of an instance that stay.
        max_open_instances: Files of instances that are open at once.
        queue_lines: Lines that wait for the writer; what comes beyond is dropped and counted.
        queue_bytes: The same, by size.
        linger_s: How long a line that is no error may wait for others to be written with, seconds.
    """

    max_bytes: int = 32 * _MIB
    keep: int = 5
    instance_max_bytes: int = 2 * _MIB
    instance_keep: int = 1
    max_open_instances: int = 64
    queue_lines: int = 16_384
    queue_bytes: int = 16 * _MIB
    linger_s: float = 0.05


class LogStats(msgspec.Struct, frozen=True):
    """Lines since start.

    Attributes:
        written: In the daemon's file.
        dropped: Not in the file: more came than could be written, or the disk did not take them.
        console_dropped: Not on standard error, for the same reasons.
    """

    written: int
    dropped: int
    console_dropped: int


class LogSystem:
    """The log while it is set up. Made by `configure`; leaving it as a context manager closes it."""

    def __init__(
        self, files: BackgroundWriter, console: BackgroundWriter | None, level: int, restore: Callable[[], None]
    ) -> None:
        self._files = files
        self._console = console
        self._restore = restore
        self._closed = False
        self._level = level
        self._standard = StandardLogging(self.submit)
        self._wrapper: type = type("BoundLogger", (structlog.make_filtering_bound_logger(level),), {})

    @property
    def wrapper(self) -> type[FilteringBoundLogger]:
        """The class of every structlog logger; its level is changed in place, for loggers that are held."""
        return self._wrapper

    def open(self, level: int) -> None:
        """Start the writers and take over the standard library's logging."""
        self._files.start()
        if self._console is not None:
            self._console.start()
        self._standard.install(level)
        atexit.register(self.close)

    def submit(self, line: Line) -> None:
        """Queue a line for every sink. Never waits."""
        self._files.submit(line)
        if self._console is not None:
            self._console.submit(line)

    def write(self, line: Line) -> None:
        """Queue a line that was composed elsewhere, unless its level is below the log's. Never waits."""
        if line.level >= self._level:
            self.submit(line)

    def set_level(self, level: str) -> None:
        """Log from this level on, loggers that exist already included.

        Raises:
            UnknownLevelError: There is no such level.
        """
        number = _level_number(level, "the level of the log")
        self._level = number
        self._wrapper.__bases__ = (structlog.make_filtering_bound_logger(number),)
        self._standard.set_level(number)

    def stats(self) -> LogStats:
        """Return how many lines were written and dropped."""
        return LogStats(
            written=self._files.written,
            dropped=self._files.dropped,
            console_dropped=self._console.dropped if self._console is not None else 0,
        )

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was logged so far is written; return whether it was in time. It blocks."""
        done = self._files.flush(timeout_s)
        return (self._console is None or self._console.flush(timeout_s)) and done

    def close(self, timeout_s: float = 5.0) -> bool:
        """Write what is queued and put logging back as it was; return whether all was written in time.

        Blocks for at most `timeout_s` a sink; closing again does nothing.
        """
        if self._closed:
            return True
        self._closed = True
        atexit.unregister(self.close)
        self._standard.restore()
        self._restore()
        done = self._files.stop(timeout_s)
        # A terminal that is held (Ctrl-S) must not hold the daemon.
        return (self._console is None or self._console.stop(min(timeout_s, 1.0))) and done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def configure(
    log_file: Path,
    *,
    instances: Path | None = None,
    level: str = "info",
    console: Console = "auto",
    console_fd: int = 2,
    limits: LogLimits | None = None,
    environ: Mapping[str, str] | None = None,
) -> LogSystem:
    """Send everything that is logged in this process to the file, and to standard error.

    Nothing is opened here: the file and its folder are made when the first line is written, so a disk
    that is full or read-only costs lines (counted, and reported when it recovers), never the start.

    Args:
        log_file: The file of JSON lines; made 0600, its folder 0700.
        instances: The folder that has a folder per instance; lines with an `instance` go to the
            `instance.jsonl` in there, too, where that folder exists.
        level: The lowest level that is logged; the variable `AUTOMATE_LOG_LEVEL` overrides it.
        console: What standard error gets; `auto` is JSON with priorities for systemd's journal, colour on
            a terminal, and plain text for anything else.
        console_fd: The descriptor that stands for standard error.
        limits: How much is kept.
        environ: The environment; the process's own by default.

    Raises:
        UnknownLevelError: There is no such level.
    """
    environ = os.environ if environ is None else environ
    limits = limits or LogLimits()
    if override := environ.get(LEVEL_VARIABLE):
        number = _level_number(override, f"the environment variable {LEVEL_VARIABLE}")
    else:
        number = _level_number(level, "the level of the log")

    main = FileSink(log_file, max_bytes=limits.max_bytes, keep=limits.keep)
    files: Sink = main
    if instances is not None:
        files = FilesSink(
            main,
            InstanceSink(
                instances,
                max_bytes=limits.instance_max_bytes,
                keep=limits.instance_keep,
                max_open=limits.max_open_instances,
            ),
        )
    chosen = choose(console, console_fd, environ)
    screen = None
    if chosen != "off":
        screen = BackgroundWriter(
            StreamSink(console_fd, renderer(chosen)), name="log-console", linger_s=limits.linger_s
        )
    writer = BackgroundWriter(
        files,
        name="log-files",
        capacity_lines=limits.queue_lines,
        capacity_bytes=limits.queue_bytes,
        linger_s=limits.linger_s,
    )

    configured, before = structlog.is_configured(), structlog.get_config()

    def restore() -> None:
        if configured:
            structlog.configure(**before)
        else:
            structlog.reset_defaults()

    system = LogSystem(writer, screen, number, restore)
    system.open(number)
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _compose],
        wrapper_class=system.wrapper,
        logger_factory=_LoggerFactory(system.submit),
        # Cached loggers would outlive the log that they were made for, from one test to the next.
        cache_logger_on_first_use=False,
    )
    return system


def _level_number(level: str, source: str) -> int:
    try:
        return LEVELS[level.strip().lower()]
    except KeyError:
        raise UnknownLevelError(level, source) from None


class _Outlet:
    """What structlog calls a logger: the end of the line, under the name of who speaks."""

    __slots__ = ("name", "submit")

    def __init__(self, name: str, submit: Callable[[Line], None]) -> None:
        self.name = name
        self.submit = submit

    def msg(self, line: Line) -> None:
        self.submit(line)

    debug = info = warning = error = critical = notset = msg


class _LoggerFactory:
    """Makes outlets: `get_logger(name)`, or without a name that of the module that calls."""

    def __init__(self, submit: Callable[[Line], None]) -> None:
        self._submit = submit
        self._named_by_caller = structlog.stdlib.LoggerFactory(ignore_frame_names=["orchestrator.logs"])

    def __call__(self, *args: Any) -> _Outlet:
        name = str(args[0]) if args else self._named_by_caller().name
        return _Outlet(name, self._submit)


def _compose(logger: Any, method: str, event: structlog.typing.EventDict) -> tuple[tuple[Line], dict[str, Any]]:
    if event.get("exc_info") in (True, 1):
        event["exc_info"] = sys.exc_info()
    if event.pop("stack_info", False):
        structlog.processors.StackInfoRenderer(additional_ignores=["orchestrator.logs"])(logger, method, event)
    return (compose(method if method in LEVELS else "info", logger.name, event),), {}
