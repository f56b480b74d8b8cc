"""What a child does to itself before any code of its stream: limits that it cannot lift again."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from typing import Final

from config.isolation import ProcessLimits

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_SET_NO_NEW_PRIVS: Final = 38
_SYS_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION_3: Final = 0x20080522

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class NotConfined(OSError):
    """The kernel refused a limit without which a child must not run."""


def prctl(option: int, value: int) -> None:
    """Set an option of this process, as the system call of that name does.

    Raises:
        NotConfined: The kernel refuses.
    """
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise NotConfined(code, f"prctl {option}: {os.strerror(code)}")


def become_subreaper() -> None:
    """Have descendants whose parents end become this process's children."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends, however it ends; at once where it has ended already."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(70)


def apply_limits(limits: ProcessLimits) -> None:
    """Set the resource limits, soft and hard, drop all privileges for good, and step back behind the daemon."""
    _limit(resource.RLIMIT_AS, limits.address_space_bytes)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_MSGQUEUE, 0)
    if limits.cpu_s is not None:
        _limit(resource.RLIMIT_CPU, limits.cpu_s)
    if os.getuid() != 0:
        # It counts all of the user's processes, the daemon's own threads included, and does not bind root: a backstop
        # that keeps a flood of forks from filling the table until the warden has seen it.
        _limit(resource.RLIMIT_NPROC, 4096 + limits.processes + limits.threads)
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), limits.nice))
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    ceiling = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (ceiling, ceiling))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _drop_capabilities() -> None:
    """Give up what makes root more than another user: it could lift its own limits."""
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is None:
        if os.getuid() == 0:
            raise NotConfined(0, f"root's rights cannot be dropped on {os.uname().machine}; run as another user")
        return
    header = _Header(_CAPABILITY_VERSION_3, 0)
    nothing = (_Data * 2)()
    call: Callable[..., int] = _LIBC.syscall
    if call(number, ctypes.byref(header), ctypes.byref(nothing)) != 0:
        code = ctypes.get_errno()
        raise NotConfined(code, f"capset: {os.strerror(code)}")
