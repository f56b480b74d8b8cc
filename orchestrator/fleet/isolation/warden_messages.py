"""What the daemon and its warden tell each other: one message a packet, over a socket of packets."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from config.isolation import ProcessLimits
from orchestrator.fleet.isolation.usage import Use

PACKET_BYTES: Final = 64 * 1024
"""Longest packet."""


class Packet(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all packets."""


class Fork(Packet, frozen=True, tag=True):
    """Start a child; its channel, standard output and standard error come with the packet.

    Attributes:
        ticket: Names this wish in what is told of it.
        instance: Whose child it is.
        directory: Where it works, and all that it may write to.
        limits: What it may use.
    """

    ticket: int
    instance: str
    directory: str
    limits: ProcessLimits


class End(Packet, frozen=True, tag=True):
    """Kill a child and all its descendants."""

    ticket: int
    reason: str


ToWarden: TypeAlias = Fork | End


class Up(Packet, frozen=True, tag=True):
    """The warden is ready."""


class Forked(Packet, frozen=True, tag=True):
    """A child was started."""

    ticket: int
    pid: int


class Used(Packet, frozen=True, tag=True):
    """What a child uses now.

    Attributes:
        ticket: Whose.
        use: What.
        cpu_share: Cores that it kept busy lately.
    """

    ticket: int
    use: Use
    cpu_share: float


class Gone(Packet, frozen=True, tag=True):
    """A child and all its descendants have ended, or it could not be started.

    Attributes:
        ticket: Which.
        status: Its exit status; negative for the number of the signal that ended it.
        reason: Why it was ended, where it was.
    """

    ticket: int
    status: int
    reason: str


FromWarden: TypeAlias = Up | Forked | Used | Gone

ENCODER: Final = msgspec.msgpack.Encoder()
TO_WARDEN: Final[msgspec.msgpack.Decoder[ToWarden]] = msgspec.msgpack.Decoder(ToWarden)
FROM_WARDEN: Final[msgspec.msgpack.Decoder[FromWarden]] = msgspec.msgpack.Decoder(FromWarden)
