"""The daemon: one process, one loop, from the first log line to the last."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any

import msgspec
import structlog

from actors import ActorRef, ActorSystem, MailboxFull, StartFailed, SystemFailed
from config import ConfigStore, Paths
from config.errors import ConfigError, SaveError
from config.fleet import multipliers_of
from config.secrets import EnvFile, read_env
from config.sections import Settings
from orchestrator.access.methods.system import DaemonState
from orchestrator.collector import LargeRollouts, settle
from orchestrator.events import EventBus
from orchestrator.fleet.chronicle import Chronicle
from orchestrator.fleet.messages import Reconcile
from orchestrator.http_client import HttpClient
from orchestrator.logs import LogLimits, LogSystem, configure
from orchestrator.notify import Notifier, asking_for_time
from orchestrator.release import VERSION
from orchestrator.restart_needed import restart_needed
from orchestrator.stream_settings import check_stream_settings
from orchestrator.tree import Daemon, Tree, grow
from streams.booking import Book, Receipt
from streams.catalog import Catalog

BLOCKED_LIMIT_S = 1.0
"""A handler that keeps the loop longer than this is named in the log."""

_log = structlog.get_logger("daemon")

SWITCH_INTERVAL_S = 0.0002
"""The loop shares the interpreter with the ledger's thread and the products' threads. At Python's usual 5 ms, each
turn of the loop could wait that long for a thread that computes."""

SAME_SIGNAL_S = 0.3
"""A signal that comes this soon after another is the same one."""

SERVICES = frozenset({"auto_scaling", "deployment_manager", "health_monitor", "revenue_dashboard"})
"""Of the services that `unified_dashboard_config.json` may name, those that this version has."""


class HomeInUse(Exception):
    """Another daemon runs in this home."""

    exit_code = 75

    def __init__(self, home: Path, pid: str) -> None:
        who = f"the daemon {pid}" if pid else "another daemon"
        super().__init__(
            f"{who} already runs in {home}. See it with `automate status`, stop it with `automate stop`, "
            "or give this one another home with --home"
        )


class DaemonFailed(Exception):
    """The daemon could not start, or could not go on."""

    exit_code = 70


Work = Callable[["Running"], Awaitable[int]]
"""What is done while the daemon runs, instead of waiting for a signal; returns the exit status."""


class Running(msgspec.Struct, frozen=True):
    """A daemon that is up, as `Work` sees it."""

    tree: Tree
    events: EventBus
    paths: Paths
    stopping: asyncio.Event


def run(
    paths: Paths,
    *,
    adjust: Callable[[Settings], Settings] | None = None,
    counts: dict[str, int] | None = None,
    work: Work | None = None,
    on_booked: Callable[[tuple[tuple[Book, Receipt], ...]], object] | None = None,
) -> int:
    """Run a daemon in this process until it is asked to stop, and return its exit status.

    Args:
        paths: Its home.
        adjust: Changes the settings for this run only.
        counts: Counts of instances for this run only, by stream.
        work: What is done meanwhile; the daemon stops when it ends.
        on_booked: Called after each commit.

    Raises:
        HomeInUse: Another daemon runs there.
        ConfigError: A configuration file is wrong; nothing was changed.
        SaveError: The configuration could not be stored.
        HomeError: The home is not usable.
        DaemonFailed: It could not start, or gave up.
    """
    import uvloop

    paths.create()
    with _locked(paths):
        catalog = Catalog()
        store = ConfigStore(paths, multipliers_of(catalog))
        check_stream_settings(paths, store.validate().fleet, catalog)
        settings = store.load()
        secrets = read_env(paths.env_file)
        fleet = settings.fleet
        limits = LogLimits(
            max_bytes=fleet.log_max_bytes,
            instance_max_bytes=fleet.instance_log_max_bytes,
            keep=fleet.log_files_kept,
            instance_keep=fleet.log_files_kept,
        )
        with configure(paths.log_file, instances=paths.instances, limits=limits) as log:
            sys.setswitchinterval(SWITCH_INTERVAL_S)
            _allow_many_files()
            process = _Process(paths, store, settings, secrets, catalog, log, adjust, counts, on_booked)
            return uvloop.run(process.live(work))


class _Process:
    """One run of the daemon."""

    def __init__(
        self,
        paths: Paths,
        store: ConfigStore,
        settings: Settings,
        secrets: EnvFile,
        catalog: Catalog,
        log: LogSystem,
        adjust: Callable[[Settings], Settings] | None,
        counts: dict[str, int] | None,
        on_booked: Callable[[tuple[tuple[Book, Receipt], ...]], object] | None,
    ) -> None:
        self._paths = paths
        self._log = log
        self._store = store
        self._adjust = adjust or (lambda unchanged: unchanged)
        self._settings = self._started_with = self._adjust(settings)
        self._secrets = secrets
        self._catalog = catalog
        self._counts = counts
        self._on_booked = on_booked
        self._events = EventBus()
        self._notifier = Notifier.from_environment()
        self._http = HttpClient()
        self._state: DaemonState = "starting"
        self._asked_by = ""
        self._signalled_at = float("-inf")
        self._reloads: set[asyncio.Task[None]] = set()
        self._changing = asyncio.Lock()
        self._fleet: ActorRef[Any] | None = None
        self._began = monotonic()
        self._stopping: asyncio.Event

    async def live(self, work: Work | None) -> int:
        """Start, wait, stop."""
        self._stopping = asyncio.Event()
        self._events.publish("daemon.starting", version=VERSION, home=str(self._paths.home), pid=os.getpid())
        for warning in self._secrets.warnings:
            _log.warning("daemon.secrets", detail=warning)
        absent = sorted(set(self._settings.unified_dashboard.services) - SERVICES)
        if absent:
            self._events.publish("daemon.services_absent", services=absent, detail="not part of this version")
        main = asyncio.current_task()
        assert main is not None
        try:
            async with self._signals(main), ActorSystem("automate", blocked_limit_s=BLOCKED_LIMIT_S) as system:
                system.events.subscribe(Chronicle(self._events))
                status = await self._run_tree(system, work)
        except SystemFailed as error:
            raise DaemonFailed(f"{error}. The log has the whole story: {self._paths.log_file}") from error
        except asyncio.CancelledError:
            _log.warning("daemon.forced", detail="what was in progress was cut off")
            return 130
        finally:
            await self._http.close()
            self._notifier.close()
        self._events.publish("daemon.stopped", uptime_s=round(monotonic() - self._began, 3))
        return status

    async def _run_tree(self, system: ActorSystem, work: Work | None) -> int:
        try:
            LargeRollouts(self._events)
            with asking_for_time(self._notifier, asyncio.get_running_loop().call_later):
                tree = await grow(system, self._surroundings())
        except StartFailed as error:
            raise DaemonFailed(str(error)) from error
        self._fleet = tree.fleet
        self._state = "running"
        settle()
        self._notifier.ready("running")
        self._events.publish(
            "daemon.running", mode=self._settings.fleet.mode, after_s=round(monotonic() - self._began, 3)
        )
        status = 0
        if work is None:
            await self._stopping.wait()
        else:
            status = await work(Running(tree, self._events, self._paths, self._stopping))
        self._state = "stopping"
        deadline_s = self._settings.fleet.stop_deadline_s
        self._notifier.stopping("stopping")
        self._notifier.extend_timeout(deadline_s + 5)
        self._events.publish("daemon.stopping", asked_by=self._asked_by or "the end of its work", deadline_s=deadline_s)
        main = asyncio.current_task()
        assert main is not None
        asyncio.get_running_loop().call_later(deadline_s, self._overdue, main, deadline_s)
        return status

    def _overdue(self, main: asyncio.Task[Any], deadline_s: float) -> None:
        if not main.done():
            _log.error("daemon.stop_overdue", deadline_s=deadline_s)
            main.cancel()

    def _surroundings(self) -> Daemon:
        return Daemon(
            paths=self._paths,
            settings=lambda: self._settings,
            change=self._change,
            reload=self._reload,
            secrets=self._secrets,
            catalog=self._catalog,
            events=self._events,
            http=self._http,
            notifier=self._notifier,
            state=lambda: self._state,
            shut_down=self._ask_to_stop,
            began=self._began,
            log=self._log.write,
            counts=self._counts,
            on_booked=self._on_booked,
        )

    async def _change(self, section: str, values: Any) -> Settings:
        # One after the other: what is stored last is what is in force in the end.
        async with self._changing:
            self._store.know(multipliers_of(self._catalog))
            self._settings = self._adjust(await asyncio.to_thread(self._store.set_section, section, values))
        self._put_in_force("config.changed", section=section)
        return self._settings

    def _put_in_force(self, event: str, **fields: Any) -> None:
        waiting = restart_needed(self._started_with, self._settings)
        self._events.publish(event, "warning" if waiting else "info", **fields, needs_restart=waiting)
        if self._fleet is not None:
            try:
                self._fleet.tell(Reconcile())
            except MailboxFull as error:
                self._events.publish("config.counts_waiting", "warning", reason=str(error))

    async def _reload(self) -> None:
        if self._state == "running":
            self._state = "reloading"
            self._notifier.reloading("rereading the configuration")
        try:
            async with self._changing:
                self._store.know(multipliers_of(self._catalog))
                self._settings = self._adjust(await asyncio.to_thread(self._store.load))
        except (ConfigError, SaveError) as error:
            self._events.publish("config.reload_failed", "error", reason=str(error))
            raise
        else:
            self._put_in_force("config.reloaded")
        finally:
            # Another reload may have ended before this one, and a stop may have begun.
            if self._state == "reloading":
                self._state = "running"
                self._notifier.ready("running")

    @asynccontextmanager
    async def _signals(self, main: asyncio.Task[Any]) -> AsyncIterator[None]:
        """Stop on SIGINT and SIGTERM, at once on the second; reload on SIGHUP."""
        loop = asyncio.get_running_loop()

        def stop(name: str) -> None:
            # Programs such as `timeout` signal the process and then its group: that is one wish, told twice.
            again_after_s = monotonic() - self._signalled_at
            self._signalled_at = monotonic()
            if name == self._asked_by and again_after_s < SAME_SIGNAL_S:
                return
            if self._stopping.is_set() and self._asked_by.startswith("SIG"):
                _log.warning("daemon.second_signal", signal=name)
                main.cancel()
            self._ask_to_stop(name)

        def reload() -> None:
            task = loop.create_task(self._reload_by_signal())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

        loop.add_signal_handler(signal.SIGINT, stop, "SIGINT")
        loop.add_signal_handler(signal.SIGTERM, stop, "SIGTERM")
        loop.add_signal_handler(signal.SIGHUP, reload)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _ask_to_stop(self, by: str) -> None:
        self._asked_by = by
        self._stopping.set()

    async def _reload_by_signal(self) -> None:
        with suppress(ConfigError, SaveError):  # told of, and the former configuration stays in force
            await self._reload()


def _allow_many_files() -> None:
    """Raise the soft limit on open files to the hard one: every connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _locked(paths: Paths) -> Iterator[None]:
    """Hold the home for this process alone; the kernel lets go of it however the process ends."""
    with open(paths.run / "daemon.lock", "a+", opener=_open_private) as file:
        _lock(paths, file)
        yield


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _lock(paths: Paths, file: IO[str]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        raise HomeInUse(paths.home, file.read(20).strip()) from None
    with suppress(OSError):  # the number is a courtesy; a full disk must not keep the daemon from starting
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
