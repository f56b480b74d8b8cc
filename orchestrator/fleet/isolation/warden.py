"""The warden: one small process that forks the children of a daemon, counts what they use, and kills them.

It is a process of its own because all of this must work while the daemon is busy, or dead: when the daemon goes,
however it goes, its end of the socket closes, and the warden kills everything below it. Descendants that leave their
parent become the warden's (it is their reaper), so that nothing escapes by forking twice. It has one thread and runs
no code of any stream: forking it is safe, quick, and shares the memory of what it has imported.
"""

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Final, NoReturn

import msgspec

import orchestrator.fleet.isolation.child as child_process
from orchestrator.fleet.isolation.confinement import apply_limits, become_subreaper, die_with_parent
from orchestrator.fleet.isolation.landlock import confine
from orchestrator.fleet.isolation.seccomp import refuse_unix_sockets
from orchestrator.fleet.isolation.usage import (
    Use,
    children_of,
    descendants_of,
    proportional_bytes,
    read_processes,
    use_of,
)
from orchestrator.fleet.isolation.verdict import Judge
from orchestrator.fleet.isolation.warden_messages import (
    ENCODER,
    PACKET_BYTES,
    TO_WARDEN,
    End,
    Fork,
    Forked,
    FromWarden,
    Gone,
    Up,
    Used,
)

FILES: Final = 3
"""Descriptors that come with a `Fork`: channel, standard output, standard error."""

TELL_EVERY_S: Final = 2.0
"""How often what a child uses is told, which is looked at more often."""

_SWEEP_S: Final = 0.02
"""How soon those that were killed are looked for again, until none is left."""


class _Ward:
    """One child."""

    __slots__ = ("ending", "fork", "judge", "looked_at", "pid", "status", "told_at")

    def __init__(self, fork: Fork, pid: int) -> None:
        self.fork = fork
        self.pid = pid
        self.judge = Judge(fork.limits)
        self.ending: str | None = None
        self.status: int | None = None
        self.looked_at = float("-inf")
        self.told_at = float("-inf")


class Warden:
    """Serves one daemon until it goes.

    Args:
        daemon: The socket to it.
    """

    def __init__(self, daemon: socket.socket) -> None:
        self._daemon = daemon
        self._wards: dict[int, _Ward] = {}
        self._deaf = False
        self._sweeping = False

    def serve(self) -> None:
        """Work until the daemon goes; then kill all children."""
        become_subreaper()
        self._tell(Up())
        wake, wakened = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakened, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _note)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # meant for the daemon, which says what follows
        watched = select.poll()
        watched.register(self._daemon, select.POLLIN)
        watched.register(wake, select.POLLIN)
        while not self._deaf:
            for descriptor, _ in watched.poll(_milliseconds(self._pause_s())):
                if descriptor == wake:
                    os.read(wake, 4096)
                else:
                    self._listen()
            self._look()
        for ward in self._wards.values():
            ward.ending = ward.ending or "the daemon has gone"
        while self._wards or children_of(read_processes()).get(os.getpid()):
            self._look()
            select.select([], [], [], _SWEEP_S)

    def _pause_s(self) -> float | None:
        if self._sweeping or any(ward.ending or ward.status is not None for ward in self._wards.values()):
            return _SWEEP_S
        if not self._wards:
            return None
        return min(ward.fork.limits.watch_s for ward in self._wards.values())

    # -- the daemon -----------------------------------------------------------------------------------------

    def _listen(self) -> None:
        packet, files, _, _ = socket.recv_fds(self._daemon, PACKET_BYTES, FILES, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            self._deaf = True
            return
        message = TO_WARDEN.decode(packet)
        if isinstance(message, End):
            ward = self._wards.get(message.ticket)
            if ward is not None:
                ward.ending = ward.ending or message.reason
        else:
            self._fork(message, files)

    def _tell(self, message: FromWarden) -> None:
        try:
            self._daemon.send(ENCODER.encode(message), 0 if isinstance(message, Up | Forked | Gone) else _NO_WAIT)
        except BlockingIOError:
            return  # what it uses now is told again soon
        except OSError:
            self._deaf = True

    # -- children -------------------------------------------------------------------------------------------

    def _fork(self, message: Fork, files: Sequence[int]) -> None:
        assert threading.active_count() == 1
        try:
            pid = os.fork()
        except OSError as error:
            for each in files:
                os.close(each)
            self._tell(Gone(message.ticket, 71, f"no process could be made: {error.strerror}"))
            return
        if pid == 0:
            _become_child(message, files)
        for each in files:
            os.close(each)
        self._wards[message.ticket] = _Ward(message, pid)
        self._tell(Forked(message.ticket, pid))

    def _look(self) -> None:
        """Reap, measure, judge, kill."""
        statuses = _reap()
        by_pid = {ward.pid: ward for ward in self._wards.values()}
        for pid, status in statuses.items():
            if (ward := by_pid.get(pid)) is not None:
                ward.status = status
        now_s = monotonic()
        due = [
            ward
            for ward in self._wards.values()
            if ward.ending is not None or ward.status is not None or now_s - ward.looked_at >= ward.fork.limits.watch_s
        ]
        if not due and not statuses and not self._sweeping:
            return
        processes = read_processes()
        children = children_of(processes)
        for ward in due:
            ward.looked_at = now_s
            below = descendants_of(ward.pid, children) if ward.status is None else []
            if ward.ending is None and ward.status is None:
                use = use_of((ward.pid, *below), processes)
                if use.memory_bytes > ward.fork.limits.memory_bytes:
                    # Forked processes share most of what they have, with each other and with the warden.
                    shared_out = proportional_bytes((ward.pid, *below), processes)
                    use = msgspec.structs.replace(use, memory_bytes=shared_out)
                ward.ending = ward.judge.verdict(use, now_s)
                self._tell_use(ward, use, now_s)
            if ward.ending is not None and ward.status is None:
                _kill_all(ward.pid, below)
        # Whoever has become the warden's own without being a child of the daemon's has left a child behind, dead or
        # alive: killed, with all below it.
        known = {ward.pid for ward in self._wards.values() if ward.status is None}
        strays = [pid for pid in children.get(os.getpid(), ()) if pid not in known]
        self._sweeping = bool(strays)
        for stray in strays:
            _kill_all(stray, descendants_of(stray, children))
        for ticket, ward in tuple(self._wards.items()):
            # It has gone when its group has gone with it.
            if ward.status is not None and not _kill_group(ward.pid):
                del self._wards[ticket]
                self._tell(Gone(ticket, ward.status, ward.ending or ""))

    def _tell_use(self, ward: _Ward, use: Use, now_s: float) -> None:
        if now_s - ward.told_at >= TELL_EVERY_S:
            ward.told_at = now_s
            self._tell(Used(ward.fork.ticket, use, round(ward.judge.cpu_share, 4)))


_NO_WAIT: Final = socket.MSG_DONTWAIT


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _note(number: int, frame: object) -> None:
    """Do nothing: the wake-up descriptor has it."""


def _reap() -> dict[int, int]:
    """Collect those that have ended, and return their exit statuses."""
    statuses: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return statuses
        if pid == 0:
            return statuses
        statuses[pid] = os.waitstatus_to_exitcode(status)


def _kill_group(pid: int) -> bool:
    """Kill a group; whether there was any of it. The kernel kills all of it at once, those being forked included."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _kill_all(pid: int, below: Sequence[int]) -> None:
    _kill_group(pid)
    for each in (pid, *below):
        try:
            os.kill(each, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _become_child(message: Fork, files: Sequence[int]) -> NoReturn:
    """Go on as a child of the daemon's; never returns into the warden's own work."""
    status = 70
    try:
        warden = os.getppid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        channel = _arrange(files)
        os.setsid()
        die_with_parent(warden)
        become_subreaper()
        os.chdir(message.directory)
        apply_limits(message.limits)
        if message.limits.confined:
            confine(message.directory)
            refuse_unix_sockets()
        gc.unfreeze()
        os.environ.update(HOME=message.directory, TMPDIR=message.directory, AUTOMATE_INSTANCE=message.instance)
        status = child_process.main(channel, message.limits)
    except BaseException:  # noqa: BLE001 - said on standard error, which the daemon reads
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                continue
        os._exit(status)


def _arrange(files: Sequence[int]) -> int:
    """Put the descriptors where they belong, and close all others. Returns the channel's."""
    channel, output, error = files
    # Out of the way first: one of them may stand where another belongs.
    kept = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (channel, output, error)]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(kept[1], 1)
    os.dup2(kept[2], 2)
    os.dup2(kept[0], 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    return 3


def main(descriptor: int) -> int:
    """Be the warden at this end of the daemon's socket."""
    with socket.socket(fileno=descriptor) as daemon:
        for name in child_process.PRELOADED:
            __import__(name)
        gc.collect()
        gc.freeze()
        Warden(daemon).serve()
    return 0
