"""A filter on system calls: a confined process makes no Unix sockets.

The daemon's control socket admits its own user, which a child is, and Landlock does not stand before sockets in the
file system. Pairs of sockets, which event loops need, are another call. See seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import Final

from orchestrator.fleet.isolation.confinement import NotConfined

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM

_LOAD_WORD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06

_NUMBER_AT, _MACHINE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_OTHER_TABLES: Final = 0x40000000
"""From here on, x86-64 has its calls a second time (x32)."""

_IO_URING_SETUP: Final = 425
"""By rings, sockets are made without the call; nothing here needs them."""

_MACHINES: Final = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: its name in the filter, and the number of `socket`."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def refuse_unix_sockets() -> bool:
    """Have `socket(AF_UNIX)` refused to this process, and to all it starts; whether this machine is known here.

    Raises:
        NotConfined: The kernel refuses the filter.
    """
    known = _MACHINES.get(os.uname().machine)
    if known is None:
        return False
    code = program(*known)
    filter_ = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), ctypes.byref(filter_), 0, 0) != 0:
        number = ctypes.get_errno()
        raise NotConfined(number, f"seccomp: {os.strerror(number)}")
    return True


def program(machine: int, socket_call: int) -> bytes:
    """Return the filter, eight bytes an instruction: what it does, whither if so, whither if not, with what."""
    return b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in (
            (_LOAD_WORD, 0, 0, _MACHINE_AT),
            (_IF_EQUAL, 0, 7, machine),  # the calls of another machine: refused
            (_LOAD_WORD, 0, 0, _NUMBER_AT),
            (_IF_AT_LEAST, 5, 0, _OTHER_TABLES),
            (_IF_EQUAL, 4, 0, _IO_URING_SETUP),
            (_IF_EQUAL, 0, 2, socket_call),
            (_LOAD_WORD, 0, 0, _FIRST_ARGUMENT_AT),
            (_IF_EQUAL, 1, 0, socket.AF_UNIX),
            (_RETURN, 0, 0, _ALLOW),
            (_RETURN, 0, 0, _REFUSE),
        )
    )
