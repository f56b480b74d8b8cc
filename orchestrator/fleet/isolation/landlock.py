"""Landlock: the kernel keeps a process, and all it starts, to the files that it was given. No rights are needed for it.

What a child may read is what any program needs (the interpreter, the libraries, certificates, host names); what it
may write is its own directory. The daemon's secrets, ledger, logs and the other instances' files are none of that.
Where the kernel knows how, it can send no signals beyond itself either. See landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.fleet.isolation.confinement import NotConfined

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_CREATE_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_RIGHTS_BY_VERSION: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
_RIGHTS_NOW: Final = (1 << 16) - 1
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READ: Final = _EXECUTE | _READ_FILE | _READ_DIRECTORY
_SCOPES: Final = 0b11
"""No abstract Unix sockets of others, and no signals to others; from version 6."""

READABLE: Final = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/proc",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/random",
    "/dev/zero",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
)
"""What every program may read. Not all of /etc: the daemon's configuration and secrets may lie in there."""

_OF_THE_HOME: Final = frozenset({"state", "log", "run", "reports", "instances"})
"""What is the daemon's, where somebody has made the checkout itself its home."""

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the kernel's version of Landlock; 0 where it has none, or none is allowed."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_VERSION))))


def confine(directory: str) -> bool:
    """Keep this process, and all it starts, to its own directory; whether the kernel knows how.

    Args:
        directory: The one that it may write to.

    Raises:
        NotConfined: The kernel knows how, and refuses.
    """
    known = version()
    if known == 0:
        return False
    handled = _RIGHTS_BY_VERSION.get(known, _RIGHTS_NOW)
    wanted = _Ruleset(handled, 0, _SCOPES if known >= 6 else 0)
    # Older kernels take the shorter structure only.
    size = 24 if known >= 6 else 16 if known >= 4 else 8
    rules = _checked(_LIBC.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0)))
    try:
        for path in readable(Path(directory)):
            _allow(rules, path, _READ & handled)
        _allow(rules, "/dev/null", (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
        _allow(rules, directory, handled & ~(_IOCTL | _EXECUTE) | _READ_FILE)
        _checked(_LIBC.syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0)))
    finally:
        os.close(rules)
    return True


def readable(directory: Path) -> Iterator[str]:
    """Yield what may be read by an instance with this directory: what all programs need, and the code it runs."""
    yield from READABLE
    code = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}
    for place in sorted(filter(None, code)):
        yield from _without_home(Path(place).resolve(), directory.resolve())


def _without_home(place: Path, directory: Path) -> Iterator[str]:
    """Yield a place; where the home lies below it, as `./var` lies in a checkout, what else lies there."""
    if not directory.is_relative_to(place):
        yield str(place)
        return
    try:
        members = sorted(place.iterdir())
    except OSError:
        return
    home = directory.parent.parent
    for member in members:
        if member.parent == home and member.name in _OF_THE_HOME:
            continue
        if not directory.is_relative_to(member) and (not member.name.startswith(".") or member.name == ".venv"):
            yield str(member)


def _allow(rules: int, path: str, rights: int) -> None:
    """Allow rights at a path and below it; nothing where there is no such path."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - in a child that has just been forked
            rights &= _OF_FILES
        beneath = _Beneath(rights, descriptor)
        _checked(
            _LIBC.syscall(
                _ADD_RULE,
                ctypes.c_int(rules),
                ctypes.c_int(_RULE_PATH_BENEATH),
                ctypes.byref(beneath),
                ctypes.c_uint32(0),
            )
        )
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise NotConfined(code, f"landlock: {os.strerror(code)}")
    return int(result)
