"""What a process of its own costs an instance, beside the same instance as an actor on the daemon's loop.

One daemon, both kinds in turns: start, memory, and metered calls, of which each is booked before it is answered.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from tests.benchmarks.figure import Figure
from tests.end_to_end.daemon_process import IBAN, DaemonProcess

KINDS: Final = ("process", "actor")
MORE: Final = 10
RESTARTS: Final = 9
ROUNDS: Final = 3
ROUND_S: Final = 3
CONNECTIONS: Final = 16
IDLE_S: Final = 5.0

_MIB: Final = 1024 * 1024


def run() -> list[Figure]:
    """Measure; three quarters of a minute."""
    with tempfile.TemporaryDirectory(prefix="isolation-", dir=Path.cwd()) as name:
        daemon = DaemonProcess(Path(name) / "home", instances=1, sandbox_calls_per_minute=0)
        try:
            daemon.start()
            return _measure(daemon)
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.stop()


def _measure(daemon: DaemonProcess) -> list[Figure]:
    first_s = _deploy(daemon, 1, "process")
    before = {"process": _processes(daemon)}
    rss = psutil.Process(daemon.pid).memory_info().rss
    each_ms = {"actor": _deploy(daemon, MORE, "actor") / MORE * 1e3}
    actor_mib = max(0.0, psutil.Process(daemon.pid).memory_info().rss - rss) / _MIB / MORE
    each_ms["process"] = _deploy(daemon, MORE, "process") / MORE * 1e3
    places = {"actor": "api_services-001", "process": "api_services-002"}
    again_ms = {kind: _restarts_ms(daemon, instance) for kind, instance in places.items()}
    children = _processes(daemon)
    own = [each.memory_full_info() for each in children if each.ppid() != daemon.pid]
    idle = _idle_percent(children)
    rounds: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in KINDS}
    keys = {kind: daemon.key(instance, rate=1e6, label="benchmark") for kind, instance in places.items()}
    for _ in range(ROUNDS):
        for kind, instance in places.items():
            rounds[kind].append(_load(daemon.port(instance), keys[kind]))
    assert len(before["process"]) == 2
    per_s, half_ms, most_ms = (
        {kind: median(made[place] for made in rounds[kind]) for kind in KINDS} for place in range(3)
    )
    return [
        Figure("the first instance in a process, the warden's start included", first_s, "s", {}, "< 5 s"),
        _figure(f"one of {MORE} more instances", "ms", each_ms, "for information"),
        _figure("an instance is restarted", "ms", again_ms, "< 1,000"),
        Figure(
            "memory of its own, an instance",
            median(each.uss for each in own) / _MIB,
            "MiB",
            {"as an actor": actor_mib, "all that it maps": median(each.rss for each in own) / _MIB},
            "for information",
        ),
        Figure(f"{MORE + 1} idle processes and their warden, of a core", idle, "%", {}, "< 5"),
        _figure(f"calls with {CONNECTIONS} connections, metered and booked", "/s", per_s, "for information"),
        _figure("half of them answered within", "ms", half_ms, "for information"),
        _figure("99 of 100 answered within", "ms", most_ms, "for information"),
    ]


def _figure(name: str, unit: str, by_kind: dict[str, float], aim: str) -> Figure:
    return Figure(name, by_kind["process"], unit, {"as an actor": by_kind["actor"]}, aim)


def _deploy(daemon: DaemonProcess, count: int, isolation: str) -> float:
    began_s = time.perf_counter()
    with daemon.watch("rollout.*") as watch:
        rollout = daemon.call("fleet.deploy", {"stream": "api_services", "count": count, "isolation": isolation})
        watch.until("rollout.completed", 60.0, rollout=rollout)
    return time.perf_counter() - began_s


def _restarts_ms(daemon: DaemonProcess, instance: str) -> float:
    took_s = []
    for _ in range(RESTARTS):
        began_s = time.perf_counter()
        daemon.call("fleet.restart", {"id": instance})
        took_s.append(time.perf_counter() - began_s)
    return median(took_s) * 1e3


def _processes(daemon: DaemonProcess) -> list[Any]:
    return psutil.Process(daemon.pid).children(recursive=True)


def _idle_percent(processes: list[Any]) -> float:
    def used_s() -> float:
        return sum(sum(each.cpu_times()[:2]) for each in processes)

    before_s = used_s()
    time.sleep(IDLE_S)
    return (used_s() - before_s) / IDLE_S * 100


def _load(port: int, key: str) -> tuple[float, float, float]:
    url = f"http://127.0.0.1:{port}{IBAN}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.api_load", url, key, str(CONNECTIONS), str(ROUND_S)],
        check=True,
        capture_output=True,
        text=True,
    )
    rate, half_ms, most_ms = map(float, done.stdout.split())
    return rate, half_ms, most_ms
