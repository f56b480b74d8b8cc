"""What goes over the channel between the daemon and an instance in a process of its own: one union a direction."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from actors import Request
from orchestrator.fleet.instance import Condition, Crash, Examine, Freeze, Pause, Perform, Resume
from orchestrator.fleet.record import Record
from streams.booking import Book, Booked, BookName, FindBooking, ReadMeters, Receipt
from streams.far_sides import FarSide
from streams.metering.messages import CreateKey, ListKeys, RevokeKey
from streams.metering.selling import KeyInfo, NewKey
from streams.neighbours import Neighbour

Level: TypeAlias = Literal["debug", "info", "warning", "error", "critical"]


class Frame(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Base of all frames."""


# -- both ways ------------------------------------------------------------------------------------------------


class Ask(Frame, frozen=True, tag=True):
    """A question to the other side; `body` is the message of that name."""

    number: int
    what: str
    body: msgspec.Raw


class Answer(Frame, frozen=True, tag=True):
    """The answer to a question."""

    number: int
    body: msgspec.Raw


class Trouble(msgspec.Struct, frozen=True):
    """A failure, as it crosses the channel.

    Attributes:
        kind: The name of its type.
        text: What it says.
        refusal: Whether it is a no, and not a failure of who was asked.
        rpc_code: The code that a person's question is answered with.
        retry_after_s: When trying again makes sense.
        key: The idempotency key that it is about.
    """

    kind: str
    text: str
    refusal: bool = False
    rpc_code: int | None = None
    retry_after_s: float | None = None
    key: str | None = None


class Failed(Frame, frozen=True, tag=True):
    """A question could not be answered."""

    number: int
    trouble: Trouble


# -- daemon to child ------------------------------------------------------------------------------------------


class Begin(Frame, frozen=True, tag=True):
    """The first frame: all that the child needs to be its instance.

    Attributes:
        record: What is kept of it.
        source: Its stream's class, `package.module:Class`.
        host: The address to listen on.
        book: The book of this mode.
        directory: Its own directory.
        checkpoint: What it left off with; empty for nothing.
        secrets: Those that its settings name, by name.
        far_sides: Who is on the other side.
        level: The lowest level that is logged.
    """

    record: Record
    source: str
    host: str
    book: BookName
    directory: str
    checkpoint: bytes
    secrets: dict[str, str]
    far_sides: tuple[FarSide, ...]
    level: Level = "info"


class Told(Frame, frozen=True, tag=True):
    """A message that is not answered."""

    what: Literal["Crash", "Freeze"]


class FarSidesNow(Frame, frozen=True, tag=True):
    """Who is on the other side from now on."""

    far_sides: tuple[FarSide, ...]


class Stop(Frame, frozen=True, tag=True):
    """Stop in order, and exit."""


ToChild: TypeAlias = Begin | Ask | Answer | Failed | Told | FarSidesNow | Stop

# -- child to daemon ------------------------------------------------------------------------------------------


class Ready(Frame, frozen=True, tag=True):
    """The instance has started."""


class Ended(Frame, frozen=True, tag=True):
    """The instance has failed, and the child exits.

    Attributes:
        trouble: The failure.
        trace: Its traceback, as text.
    """

    trouble: Trouble
    trace: str


class Said(Frame, frozen=True, tag=True):
    """A line for the log.

    Attributes:
        level: How grave it is.
        logger: Who says it.
        event: What happened.
        fields: The rest.
    """

    level: Level
    logger: str
    event: str
    fields: dict[str, Any]


ToDaemon: TypeAlias = Ready | Ask | Answer | Failed | Ended | Said


# -- what is asked --------------------------------------------------------------------------------------------


class Alive(Request[None], frozen=True):
    """Ask the child's loop and its instance's actor whether they still handle messages."""


class NeighboursOf(Request[tuple[Neighbour, ...]], frozen=True):
    """Ask for the instances of a stream that are ready."""

    stream: str


class OwnKey(Request[str], frozen=True):
    """Ask for a key to a neighbour that is never billed."""

    instance: str


class KeepCheckpoint(Request[None], frozen=True):
    """Ask to have a checkpoint stored."""

    checkpoint: bytes


class Question:
    """One kind of question: how it and its answer are read. Made at import, see `msgspec` and threads."""

    def __init__(self, kind: type[Any], answer: Any) -> None:
        self.read: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(kind)
        self.read_answer: Final[msgspec.msgpack.Decoder[Any]] = msgspec.msgpack.Decoder(answer)


FOR_CHILD: Final = {
    kind.__name__: Question(kind, answer)
    for kind, answer in (
        (Alive, None),
        (Examine, Condition),
        (Pause, None),
        (Resume, None),
        (Perform, Any),
        (CreateKey, NewKey),
        (ListKeys, tuple[KeyInfo, ...]),
        (RevokeKey, None),
    )
}
"""What the daemon asks a child."""

FOR_DAEMON: Final = {
    kind.__name__: Question(kind, answer)
    for kind, answer in (
        (Book, Receipt),
        (FindBooking, Booked | None),
        (ReadMeters, dict[str, int]),
        (NeighboursOf, tuple[Neighbour, ...]),
        (OwnKey, str),
        (KeepCheckpoint, None),
    )
}
"""What a child asks the daemon."""

TELLS: Final[dict[str, Crash | Freeze]] = {"Crash": Crash(), "Freeze": Freeze()}
"""What a child is told, and not answered."""

ENCODER: Final = msgspec.msgpack.Encoder()
TO_CHILD: Final = msgspec.msgpack.Decoder(ToChild)
TO_DAEMON: Final[msgspec.msgpack.Decoder[ToDaemon]] = msgspec.msgpack.Decoder(ToDaemon)
