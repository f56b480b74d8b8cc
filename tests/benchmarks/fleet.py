"""A whole daemon and its fleet: start, stop, restart after a crash, and what it costs while nothing happens.

Beside it supervisord, which keeps one process for each of what it supervises: here processes that only sleep,
the least there can be. It is installed into a virtual environment of its own, and left out where that fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec
import psutil

from tests.benchmarks.figure import Figure
from tests.end_to_end.daemon_process import DaemonProcess, free_port_base

SIZES: Final = (20, 100, 1000, 10_000)
PEERS: Final = (100, 1000)
CRASHES: Final = 15
IDLE_S: Final = 31.0
"""A round of everything that looks at the fleet now and then."""

SETTLE_S: Final = 5.0
STARTING_S: Final = 180.0
STOPPING_S: Final = 30.0

START_AIMS: Final = {20: "≤ 5", 1000: "< 5", 10_000: "< 40"}
STOP_AIMS: Final = {10_000: "< 10"}
CPU_AIMS: Final = {20: "≤ 2", 10_000: "< 10"}

_SUPERVISOR: Final = "supervisor==4.3.0"
_POLL_S: Final = 0.002


class Idle(msgspec.Struct, frozen=True):
    """What a tree of processes uses while nothing happens."""

    cpu_percent: float
    rss_mb: float


class Course(msgspec.Struct, frozen=True):
    """How a fleet of some size went: seconds, and what it used while idle."""

    start_s: float
    after_first_line_s: float
    stop_s: float
    status_ms: float
    idle: Idle


def run() -> list[Figure]:
    """Measure; some seven minutes."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        directory = Path(name)
        program = _install(directory / "supervisord")
        peers = {} if program is None else {size: _supervisord(program, directory, size) for size in PEERS}
        courses = {size: _course(directory / f"home{size}", size) for size in SIZES}
        downtimes_ms, own_ms = _crashes(directory / "crashes")
    base = courses[SIZES[0]].idle.rss_mb

    def beside(size: int, field: str) -> dict[str, float]:
        if size not in peers:
            return {}
        return {f"supervisord, {size} processes that sleep": getattr(peers[size], field)}

    return [
        *(
            Figure(
                f"{size:,} instances: from the first log line until all serve",
                course.after_first_line_s,
                "s",
                {"from the process's start": course.start_s} | beside(size, "start_s"),
                START_AIMS.get(size, "for information"),
            )
            for size, course in courses.items()
        ),
        *(
            Figure(
                f"{size:,} instances: from SIGTERM to the end",
                course.stop_s,
                "s",
                beside(size, "stop_s"),
                STOP_AIMS.get(size, "≤ 20"),
            )
            for size, course in courses.items()
        ),
        Figure(
            "down after a crash, with the first delay's jitter",
            median(downtimes_ms),
            "ms",
            {"the delay left out": median(own_ms)} | beside(PEERS[0], "restart_ms"),
            "≤ 300",
        ),
        *(
            Figure(
                f"{size:,} instances, idle: processor",
                course.idle.cpu_percent,
                "% of a core",
                beside(size, "cpu_percent"),
                CPU_AIMS.get(size, "for information"),
            )
            for size, course in courses.items()
        ),
        *(
            Figure(
                f"{size:,} instances, idle: resident memory",
                course.idle.rss_mb,
                "MB",
                beside(size, "rss_mb"),
                "≤ 120" if size == SIZES[0] else "for information",
            )
            for size, course in courses.items()
        ),
        *(
            Figure(
                f"memory of one more instance, of {size:,}",
                (courses[size].idle.rss_mb - base) * 1024 / (size - SIZES[0]),
                "KB",
                beside(size, "process_kb"),
                "< 25" if size == SIZES[-1] else "for information",
            )
            for size in SIZES[2:]
        ),
        *(
            Figure(f"{size:,} instances: `system.status`", course.status_ms, "ms", {}, "< 100")
            for size, course in courses.items()
        ),
    ]


# -- the daemon -------------------------------------------------------------------------------------------------


@contextmanager
def _daemon(home: Path, instances: int) -> Iterator[DaemonProcess]:
    daemon = DaemonProcess(home, instances=instances, recovery={"max_retries": 1000})
    try:
        yield daemon
    finally:
        if daemon.process is not None and daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()


def _course(home: Path, size: int) -> Course:
    with _daemon(home, size) as daemon:
        started_s = time.perf_counter()
        daemon.spawn()
        daemon.await_control(STARTING_S)
        daemon.await_fleet(STARTING_S)
        start_s = time.perf_counter() - started_s
        ready = daemon.call("system.status")["instances"]["active"]
        if ready != size:
            raise RuntimeError(f"{ready} of {size} instances are ready")
        first, last = daemon.await_log("daemon.starting"), daemon.await_log("rollout.completed")
        idle = _idle(daemon.pid)
        asked_s = time.perf_counter()
        daemon.call("system.status")
        status_ms = (time.perf_counter() - asked_s) * 1e3
        stopped_s = time.perf_counter()
        daemon.stop(STOPPING_S)
        return Course(
            start_s=start_s,
            after_first_line_s=(_at(last) - _at(first)).total_seconds(),
            stop_s=time.perf_counter() - stopped_s,
            status_ms=status_ms,
            idle=idle,
        )


def _crashes(home: Path) -> tuple[list[float], list[float]]:
    """Crash instances one after the other; return how long each was down, with the delay and without it."""
    downtimes_ms, own_ms = [], []
    with _daemon(home, CRASHES) as daemon:
        daemon.start()
        for number in range(1, CRASHES + 1):  # each for the first time, so that the delay is the first one
            instance = f"api_services-{number:03d}"
            with daemon.watch("instance.*") as watch:
                daemon.call("chaos.crash", {"id": instance})
                crashed = watch.until("instance.crashed", instance=instance)
                delay_ms = watch.until("instance.restarting", instance=instance)["delay_s"] * 1e3
                ready = watch.until("instance.ready", instance=instance)
            downtimes_ms.append((_at(ready) - _at(crashed)).total_seconds() * 1e3)
            own_ms.append(downtimes_ms[-1] - delay_ms)
        daemon.stop()
    return downtimes_ms, own_ms


def _at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


def _idle(pid: int) -> Idle:
    """Measure a process and all below it."""
    time.sleep(SETTLE_S)
    root = psutil.Process(pid)
    processes = [root, *root.children(recursive=True)]
    before_s, started_s = _cpu_s(processes), time.perf_counter()
    time.sleep(IDLE_S)
    used_s, elapsed_s = _cpu_s(processes) - before_s, time.perf_counter() - started_s
    return Idle(used_s / elapsed_s * 100, sum(each.memory_info().rss for each in processes) / 2**20)


def _cpu_s(processes: list[psutil.Process]) -> float:
    return sum(each.cpu_times().user + each.cpu_times().system for each in processes)


# -- supervisord --------------------------------------------------------------------------------------------------


class Peer(msgspec.Struct, frozen=True):
    """What supervisord did with processes that sleep; `process_kb` is of one of them."""

    start_s: float
    stop_s: float
    restart_ms: float
    cpu_percent: float
    rss_mb: float
    process_kb: float


def _supervisord(program: str, directory: Path, size: int) -> Peer:
    port = free_port_base(1) + 1
    home = directory / f"supervisord{size}"
    home.mkdir()
    configuration = home / "supervisord.conf"
    configuration.write_text(
        re.sub(
            r"^ +",
            "",
            f"""
            [supervisord]
            nodaemon=true
            silent=true
            logfile={home}/log
            pidfile={home}/pid
            childlogdir={home}
            minfds={size * 4 + 200}
            minprocs={size + 200}
            [inet_http_server]
            port=127.0.0.1:{port}
            [rpcinterface:supervisor]
            supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
            [program:sleeper]
            command=/bin/sleep 86400
            process_name=%(program_name)s-%(process_num)05d
            numprocs={size}
            startsecs=0
            stdout_logfile=NONE
            stderr_logfile=NONE
            """,
            flags=re.MULTILINE,
        )
    )
    started_s = time.perf_counter()
    process = subprocess.Popen([program, "-c", str(configuration)])
    try:
        remote = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}/RPC2").supervisor
        _await_running(remote, size)
        start_s = time.perf_counter() - started_s
        idle = _idle(process.pid)
        own_mb = psutil.Process(process.pid).memory_info().rss / 2**20
        restart_ms = median(_restart_ms(remote, number) for number in range(CRASHES))
        stopped_s = time.perf_counter()
        process.terminate()
        process.wait(STARTING_S)
        return Peer(
            start_s=start_s,
            stop_s=time.perf_counter() - stopped_s,
            restart_ms=restart_ms,
            cpu_percent=idle.cpu_percent,
            rss_mb=idle.rss_mb,
            process_kb=(idle.rss_mb - own_mb) * 1024 / size,
        )
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _install(directory: Path) -> str | None:
    made = subprocess.run([sys.executable, "-m", "venv", str(directory)], capture_output=True, check=False)
    if made.returncode:
        return None
    pip = [str(directory / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", _SUPERVISOR]
    if subprocess.run(pip, capture_output=True, check=False).returncode:
        return None
    return str(directory / "bin" / "supervisord")


def _await_running(remote: Any, size: int) -> None:
    deadline_s = time.monotonic() + STARTING_S
    while time.monotonic() < deadline_s:
        with suppress(ConnectionError, xmlrpc.client.Fault):
            states = [info["statename"] for info in remote.getAllProcessInfo()]
            if states == ["RUNNING"] * size:
                return
        time.sleep(_POLL_S)
    raise RuntimeError(f"supervisord's processes did not run within {STARTING_S:g} s")


def _restart_ms(remote: Any, number: int) -> float:
    name = f"sleeper:sleeper-{number:05d}"
    former = remote.getProcessInfo(name)["pid"]
    killed_s = time.perf_counter()
    psutil.Process(former).kill()
    while True:
        info = remote.getProcessInfo(name)
        if info["statename"] == "RUNNING" and info["pid"] != former:
            return (time.perf_counter() - killed_s) * 1e3
        time.sleep(_POLL_S)
