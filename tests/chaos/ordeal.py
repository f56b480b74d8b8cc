"""A daemon on a small disk, with a clock of its own, disturbed for some minutes while customers pay."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from tests.chaos.clock import MovableClock
from tests.chaos.disturbances import ROGUE, Disturbances
from tests.chaos.witness import Witness
from tests.end_to_end.customers import Customer, calling
from tests.end_to_end.daemon_process import DaemonProcess

STREAMS: Final = (
    "api_services",
    "affiliate_marketing",
    "content_monetization",
    "crypto_arbitrage",
    "data_harvesting",
)
ON_THE_LOOP: Final = 3
"""Instances of each stream that run on the daemon's loop."""

ISOLATED: Final = 2
"""Instances of api_services that run in processes of their own."""

STANDBYS: Final = 5
EVERY_S: Final = 0.5
DISK: Final = "384m"
RETRY_DELAY_S: Final = 2.0
WHOLE_WITHIN_S: Final = 60.0
LATE_S: Final = 0.1
_PLUGIN: Final = "[automate.streams]\nrogue = tests.orchestrator.fleet.isolation.rogue:Rogue\n"


class Verdict(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        seconds: How long it was disturbed.
        done: How often each thing was done.
        answered: Calls that customers have receipts of.
        whole_after_s: Seconds after the last disturbance until every instance was ready and the pool full; None never.
        states: How instances stood in the end.
        faults: What is wrong, one line each. Empty is what one wants.
        longest_answer_s: The longest that the control socket took.
        answers: How many it gave.
        late_answers: Those that took more than a tenth of a second: how long, and what was begun shortly before.
        crashes: Failures of instances in the log.
        failovers: Standbys that took over.
    """

    seconds: float
    done: dict[str, int]
    answered: int
    whole_after_s: float | None
    states: dict[str, int]
    faults: tuple[str, ...]
    longest_answer_s: float
    answers: int
    late_answers: tuple[str, ...]
    crashes: int
    failovers: int


class Size(msgspec.Struct, frozen=True):
    """What a daemon consists of: what leaks shows here."""

    actors: int
    tasks: int
    threads: int
    descriptors: int


def endure(directory: Path, seconds: float, seed: int, log: Path | None = None) -> Verdict:
    """Disturb a daemon of its own for so long, and say what came of it.

    Args:
        directory: Where everything is made.
        seconds: For how long.
        seed: Of what is done when.
        log: Where the daemon's log is copied to, in the end.
    """
    chance = random.Random(seed)
    with ExitStack() as opened:
        disk = opened.enter_context(small_disk(directory / "disk"))
        clock = _clock(directory)
        daemon = _daemon((disk or directory) / "home")
        opened.callback(daemon.end)
        daemon.spawn(**_environ(directory, clock))
        daemon.await_control()
        daemon.call("fleet.deploy", {"stream": "api_services", "count": ISOLATED, "isolation": "process"})
        if not _await_whole(daemon, WHOLE_WITHIN_S):
            raise RuntimeError(f"the fleet did not come up: {_look(daemon)[1]}")
        time.sleep(3)
        before = _size(daemon)
        victims = tuple(daemon.states())
        isolated = tuple(f"api_services-{ON_THE_LOOP + n + 1:03d}" for n in range(ISOLATED))
        shops = [f"api_services-{n + 1:03d}" for n in range(ON_THE_LOOP + ISOLATED)]
        customers = [
            Customer(n, daemon.port(shop), daemon.key(shop, rate=10_000, label="chaos"), repeats=True, pause_s=0.05)
            for n, shop in enumerate(shops)
        ]
        witness = Witness(daemon.control_socket)
        witness.start()
        try:
            with calling(customers):
                disturbances = Disturbances(daemon, victims, isolated, clock, disk, chance)
                begun = _disturb(disturbances, seconds, chance)
                ended_s = time.monotonic()
                whole = _await_whole(daemon, WHOLE_WITHIN_S)
                whole_after_s = time.monotonic() - ended_s
        finally:
            witness.end()
        standing, unwell = _look(daemon)
        time.sleep(3)
        after = _size(daemon)
        faults = [*_lost_or_doubled(daemon, customers), *_grown(before, after)]
        if not whole:
            faults.append(f"not whole after {WHOLE_WITHIN_S:g} s: {unwell}, {dict(standing)}")
        faults += [f"the control socket did not answer: {failure}" for failure in witness.failures]
        logged = Counter(line["event"] for line in daemon.log())
        daemon.stop()
        if log is not None:
            shutil.copy(daemon.log_file, log)
    return Verdict(
        seconds=seconds,
        done=dict(Counter(kind for _, kind in begun)),
        answered=sum(len(each.receipts) for each in customers),
        whole_after_s=whole_after_s if whole else None,
        states=dict(standing),
        faults=tuple(faults),
        longest_answer_s=witness.longest_s(),
        answers=len(witness.took_s),
        late_answers=tuple(_late(witness, begun)),
        crashes=logged["instance.crashed"],
        failovers=logged["instance.failover"],
    )


@contextmanager
def small_disk(directory: Path) -> Iterator[Path | None]:
    """Yield a small file system of its own; None where this machine lets us mount none."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def _clock(directory: Path) -> MovableClock | None:
    try:
        return MovableClock(directory)
    except RuntimeError:
        return None


def _daemon(home: Path) -> DaemonProcess:
    plans: dict[str, Any] = {stream: {"count": ON_THE_LOOP} for stream in STREAMS}
    plans[ROGUE] = {"count": 0, "isolation": "process", "settings": {"behaviour": "allocates"}}
    return DaemonProcess(
        home,
        instances=ON_THE_LOOP * len(STREAMS) + ISOLATED + 5,
        recovery={"retry_delay": RETRY_DELAY_S},
        sandbox_calls_per_minute=30,
        streams=plans,
        isolation={"memory_bytes": 192 << 20, "heartbeat_s": 2.0},
    )


def _environ(directory: Path, clock: MovableClock | None) -> dict[str, str]:
    plugin = directory / "plugin" / "rogue_stream-0.1.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "METADATA").write_text("Metadata-Version: 2.1\nName: rogue-stream\nVersion: 0.1\n")
    (plugin / "entry_points.txt").write_text(_PLUGIN)
    root = Path(__file__).resolve().parents[2]
    return {"PYTHONPATH": f"{plugin.parent}:{root}"} | ({} if clock is None else clock.environ)


def _disturb(disturbances: Disturbances, seconds: float, chance: random.Random) -> list[tuple[float, str]]:
    """Do something every half a second; what takes longer goes on beside the next, but no kind beside itself.

    Returns:
        What was begun when, by the monotonic clock.
    """
    kinds = disturbances.kinds()
    begun: list[tuple[float, str]] = []
    running: dict[str, threading.Thread] = {}
    until_s = time.monotonic() + seconds
    while (now_s := time.monotonic()) < until_s:
        kind = chance.choice([kind for kind in kinds if kind not in running or not running[kind].is_alive()])
        running[kind] = threading.Thread(target=kinds[kind], name=kind)
        running[kind].start()
        begun.append((now_s, kind))
        time.sleep(max(0.0, now_s + EVERY_S - time.monotonic()))
    for thread in running.values():
        thread.join()
    return begun


def _late(witness: Witness, begun: list[tuple[float, str]]) -> Iterator[str]:
    for asked_s, took_s in witness.took_s:
        if took_s > LATE_S:
            before = ", ".join(kind for began_s, kind in begun if asked_s - 2 < began_s < asked_s + took_s)
            yield f"{took_s:.3f} s after {before}"


def _look(daemon: DaemonProcess) -> tuple[Counter[str], dict[str, str]]:
    """Return how many instances are in each state, and what is wrong with those that are not well."""
    rows = daemon.call("fleet.list", {"limit": 1000})["items"]
    well = ("ready", "standby")
    unwell = {row["id"]: f"{row['state']}: {row['last_failure']}" for row in rows if row["state"] not in well}
    return Counter(row["state"] for row in rows), unwell


def _await_whole(daemon: DaemonProcess, within_s: float) -> bool:
    """Wait until every instance is ready and the pool of standbys is full again."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        states, unwell = _look(daemon)
        states["standby"] += daemon.call("system.status")["instances"]["by_state"].get("standby", 0)
        if not unwell and states["ready"] == ON_THE_LOOP * len(STREAMS) + ISOLATED and states["standby"] >= STANDBYS:
            return True
        time.sleep(0.1)
    return False


def _size(daemon: DaemonProcess) -> Size:
    process = psutil.Process(daemon.pid)
    vitals = daemon.call("system.vitals")
    return Size(_actors(daemon.call("system.tree")), vitals["tasks"], process.num_threads(), process.num_fds())


def _actors(vitals: Any) -> int:
    return 1 + sum(map(_actors, vitals["children"]))


def _grown(before: Size, after: Size) -> Iterator[str]:
    """Yield what there is more of than before. A few come and go: what waits for an answer, a connection, a thread."""
    for field, slack in (("actors", 0), ("tasks", 15), ("threads", 12), ("descriptors", 40)):
        was, now = getattr(before, field), getattr(after, field)
        if now > was + slack:
            yield f"{field} grew from {was} to {now}"


def _lost_or_doubled(daemon: DaemonProcess, customers: list[Customer]) -> Iterator[str]:
    """Yield what the books do not have as customers have it."""
    entries = list(daemon.entries())
    booked = {entry["id"]: entry for entry in entries}
    if not len(booked) == len(entries) == len({entry["key"] for entry in entries}):
        yield f"{len(entries)} bookings, {len(booked)} of them different"
    receipts = [(name, receipt) for each in customers for name, receipt in each.receipts.items()]
    if not receipts:
        yield "nobody bought anything"
    for name, receipt in receipts:
        if receipt not in booked:
            yield f"{name} has receipt {receipt}, of which the ledger knows nothing"
        elif not booked[receipt]["key"].endswith(f"/idem/{name}"):
            yield f"{name} has receipt {receipt}, which is of {booked[receipt]['key']}"
    names = {name for name, _ in receipts}
    theirs = sum(entry["key"].rpartition("/idem/")[2] in names for entry in entries if "/idem/" in entry["key"])
    if theirs != len(receipts):
        yield f"{len(receipts)} receipts, {theirs} bookings of them"
    for problem in daemon.call("ledger.verify", timeout_s=120)["problems"]:
        yield f"the ledger: {problem}"
