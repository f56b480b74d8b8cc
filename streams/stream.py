"""The contract of a stream: what it gives the daemon, and all that the daemon gives it.

A stream knows nothing of the daemon but its context, so that the same code runs as an actor on the shared
loop, in a process of its own, in the sandbox and live.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar

import msgspec

from streams.booking import BookName, LedgerRef
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.neighbours import Neighbours
from streams.traffic import Traffic
from streams.turns import Share

if TYPE_CHECKING:
    import aiohttp
    from structlog.typing import FilteringBoundLogger

SettingsT = TypeVar("SettingsT", bound=msgspec.Struct)


class Health(msgspec.Struct, frozen=True):
    """A stream's own answer to "can you earn now?".

    Attributes:
        ready: Whether a customer who comes now is served.
        detail: Why not, or a line on how it goes.
    """

    ready: bool
    detail: str = ""


CLOSE_WITHIN_S: Final = 3.0
"""How long requests in progress may take when an instance stops."""

CLOSE_AFTER_FAILURE_S: Final = 0.25
"""The same after a failure: nobody is served until the next life begins, and one slow peer must not hold that up."""


class Limits(msgspec.Struct, frozen=True):
    """What an instance may use.

    Attributes:
        max_request_bytes: Largest request body that it reads.
        max_response_bytes: Largest response that it makes.
        request_timeout_s: How long one customer's request may take.
    """

    max_request_bytes: int = 256 * 1024
    max_response_bytes: int = 192 * 1024
    request_timeout_s: float = 15.0


class StreamContext(Generic[SettingsT]):
    """Everything a running instance has; made anew for each start.

    Attributes:
        id: The instance's id, `api_services-007`.
        stream: The stream's name.
        directory: Its own directory, 0700; the only place it writes to.
        host: The address it listens on.
        port: The port it listens on.
        settings: Its validated settings.
        book: The set of accounts it books in by default.
        ledger: Where bookings are made.
        log: A logger bound to the instance.
        now: The time, aware UTC.
        monotonic: Seconds for intervals.
        limits: What it may use.
        http: Makes the shared HTTP client session when called (the session is the fleet's: never close it).
        secret: Reads a secret of `.env` by name; None where it is not set.
        commons: What the instances of this process share.
        far_sides: Who is on the other side in the sandbox; live, nobody.
        neighbours: The other instances of the fleet.
        close_within_s: How long requests in progress may take when it stops; shorter after a failure.
        traffic: Where its work is counted: that of its `Front` or `HttpHost` by these, anything else by the stream
            itself. Instances are compared by it, see `automate rollout`.
        share: Its part of what all instances share. Its requests take their turn by its `Front`; what loads the loop or
            leaves the process besides, `async with context.share.errands.turn():`.
    """

    __slots__ = (
        "book",
        "close_within_s",
        "commons",
        "directory",
        "far_sides",
        "host",
        "http",
        "id",
        "ledger",
        "limits",
        "log",
        "monotonic",
        "neighbours",
        "now",
        "port",
        "secret",
        "settings",
        "share",
        "stream",
        "traffic",
    )

    def __init__(
        self,
        *,
        id: str,  # noqa: A002 - the field's word
        stream: str,
        directory: Path,
        host: str,
        port: int,
        settings: SettingsT,
        book: BookName,
        ledger: LedgerRef,
        log: FilteringBoundLogger,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        limits: Limits,
        http: Callable[[], aiohttp.ClientSession],
        secret: Callable[[str], str | None],
        commons: Commons,
        far_sides: FarSides,
        neighbours: Neighbours,
        traffic: Traffic | None = None,
        share: Share | None = None,
    ) -> None:
        self.id = id
        self.stream = stream
        self.directory = directory
        self.host = host
        self.port = port
        self.settings = settings
        self.book = book
        self.ledger = ledger
        self.log = log
        self.now = now
        self.monotonic = monotonic
        self.limits = limits
        self.http = http
        self.secret = secret
        self.commons = commons
        self.far_sides = far_sides
        self.neighbours = neighbours
        self.close_within_s = CLOSE_WITHIN_S
        self.traffic = traffic if traffic is not None else Traffic()
        self.share = share if share is not None else Share.unlimited()


class Stream(abc.ABC, Generic[SettingsT]):
    """A kind of earning; one object is one running instance.

    The order of calls is `restore` (where there is a checkpoint), `start`, `run`, `stop`. A failure in any
    of them fails the instance, and its supervisor decides. Constructors do no work.

    Attributes:
        name: The stream's name in the catalog.
        settings_type: The struct that an instance's settings are validated with.
        paper_world: Where its `PaperWorld` is, `package.module:Class`; imported in the sandbox only. Empty where
            the paper world has nothing for it.
        actions: What an operator may ask of an instance, by name: the struct that the arguments make.
    """

    name: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]]
    paper_world: ClassVar[str] = ""
    actions: ClassVar[Mapping[str, type[msgspec.Struct]]] = {}

    def __init__(self, context: StreamContext[SettingsT]) -> None:
        self.context = context

    @classmethod
    @abc.abstractmethod
    def blueprint(cls, n: int) -> Sequence[SettingsT]:
        """Return n distinct settings: n different businesses."""

    @classmethod
    def secret_names(cls, settings: SettingsT) -> Sequence[str]:
        """Return the names of secrets that settings only imply; those that stand in them as they are are found.

        An instance in a process of its own is given no others.
        """
        return ()

    @abc.abstractmethod
    async def start(self) -> None:
        """Open what is needed; when it returns, `health` may say ready."""

    async def run(self) -> None:
        """Work until cancelled. Returning early is fine for a stream that only serves."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Finish what is in progress and close. Also called after a failure, and after a start that failed."""

    @abc.abstractmethod
    def health(self) -> Health:
        """Answer quickly, without I/O."""

    def pause(self) -> None:
        """Take no new work until `resume`."""

    def resume(self) -> None:
        """Take work again."""

    def checkpoint(self) -> bytes:
        """Return what `restore` needs to go on elsewhere; everything that is not in the ledger or its files."""
        return b""

    def restore(self, checkpoint: bytes) -> None:
        """Take up a former `checkpoint`."""

    async def act(self, action: msgspec.Struct) -> Any:
        """Do what an operator asks, and return what they should see of it: what msgspec can encode.

        Args:
            action: One of the structs in `actions`.

        Raises:
            Refusal: It cannot be done; says why.
        """
        raise NotImplementedError(type(action).__name__)

    def funnel(self) -> dict[str, int]:
        """Return counts from what was seen to what was earned, in that order, since the start."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Return what an operator wants to see of this stream beyond the common fields."""
        return {}
