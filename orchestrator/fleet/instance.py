"""An instance: the actor in which a stream earns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec
import structlog

from actors import Actor, Message, Refusal, Request, on
from orchestrator.events import EventBus
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.neighbours import Directory
from orchestrator.fleet.record import SETTINGS_FILE, Record
from streams.booking import BookName, LedgerRef
from streams.booking_tally import BookingTally
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.metering.messages import CreateKey, ListKeys, RevokeKey
from streams.metering.selling import KeyInfo, NewKey, SellsByKey
from streams.stream import CLOSE_AFTER_FAILURE_S, Health, Limits, Stream, StreamContext
from streams.traffic import TrafficCounts
from streams.turns import Shares

if TYPE_CHECKING:
    import aiohttp

CHECKPOINT_EVERY_S = 30.0


_BEAT_S: Final = 0.5


def first_checkpoint_in_s(instance: str, now_s: float) -> float:
    """Return when an instance is first saved: not all that were started at once, but many at each beat.

    Ten thousand that kept a time each of their own would wake the loop ten thousand times.
    """
    beats = (now_s + CHECKPOINT_EVERY_S * (crc32(instance.encode()) % 900 + 100) / 1000) // _BEAT_S
    return beats * _BEAT_S - now_s


class Condition(msgspec.Struct, frozen=True):
    """What an instance says of itself.

    Attributes:
        health: Whether it can earn now.
        paused: Whether it was told to take no work.
        funnel: Counts from seen to earned.
        details: What else its stream shows.
        actions: What it can be asked to do.
        up_s: Seconds since it was ready.
        traffic: Its work since its start.
    """

    health: Health
    paused: bool
    funnel: dict[str, int]
    details: dict[str, Any]
    actions: tuple[str, ...]
    up_s: float
    traffic: TrafficCounts = TrafficCounts()


class Examine(Request[Condition], frozen=True):
    """Ask an instance how it is; one that does not answer is frozen."""


class Pause(Request[None], frozen=True):
    """Take no new work."""


class Resume(Request[None], frozen=True):
    """Take work again."""


class Perform(Request[Any], frozen=True):
    """Do one of the stream's own actions; answered with what that shows."""

    action: str
    arguments: dict[str, Any]


class Checkpoint(Message, frozen=True):
    """Keep what the stream would go on from; told by the instance to itself."""


class Crash(Message, frozen=True):
    """Fail, to see what follows (chaos)."""


class Freeze(Message, frozen=True):
    """Handle this message for ever, to see what follows (chaos)."""


class CrashedOnRequest(Exception):
    """The failure that `chaos.crash` asks for."""


class DoesNotSellByKey(Refusal):
    """The instance's stream has no keys."""

    def __init__(self, instance: str) -> None:
        super().__init__(f"{instance} does not sell by key")


class NoSuchAction(Refusal):
    """The instance's stream has no such action."""

    rpc_code = -32001

    def __init__(self, instance: str, action: str, known: Iterable[str]) -> None:
        super().__init__(f"{instance} has no action {action!r}; it has {', '.join(known) or 'none'}")


class WrongArguments(Refusal):
    """An action's arguments are not what it takes."""

    rpc_code = -32602


class WrongSettings(ValueError):
    """An instance's settings on disk are not what its stream takes."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"{file}: the settings are not valid: {reason}; mend them while the daemon is stopped")


class Surroundings(msgspec.Struct, frozen=True):
    """What all instances of a fleet share.

    Attributes:
        instances: The directory of the instances' directories.
        checkpoints: Where each instance's last checkpoint is.
        host: The address to listen on.
        book: The book of this mode.
        ledger: Where to book.
        events: Where to tell.
        http: Makes the shared HTTP client session.
        secret: Reads a secret by name.
        commons: What instances share.
        far_sides: Who is on the other side in the sandbox.
        directory: Where instances find each other.
        tally: How many of their bookings were made and refused.
        shares: What they share by weight.
    """

    instances: Path
    checkpoints: Checkpoints
    host: str
    book: BookName
    ledger: LedgerRef
    events: EventBus
    http: Callable[[], aiohttp.ClientSession]
    secret: Callable[[str], str | None]
    commons: Commons
    far_sides: FarSides
    directory: Directory
    tally: BookingTally = msgspec.field(default_factory=BookingTally)
    shares: Shares = msgspec.field(default_factory=Shares)


class Instance(
    Actor[Examine | Pause | Resume | Perform | CreateKey | ListKeys | RevokeKey | Checkpoint | Crash | Freeze]
):
    """Runs one stream object per life."""

    handler_limit_s = 5.0
    start_timeout_s = 30.0
    stop_timeout_s = 10.0
    mailbox_capacity = 256

    def __init__(self, record: Record, kind: type[Stream[Any]], around: Surroundings) -> None:
        self._record = record
        self._kind = kind
        self._around = around
        self._directory = around.instances / record.id
        self._checkpoint = b""
        self._saving = False
        self._paused = False
        self._ready_at = 0.0
        self._stream: Stream[Any] | None = None

    async def on_start(self) -> None:
        """Start the stream where it left off."""
        record, around = self._record, self._around
        around.events.publish("instance.started", instance=record.id, stream=record.stream, port=record.port)
        self._checkpoint = await asyncio.to_thread(self._prepare)
        stream = self._kind(self._context())
        self._stream = stream
        if self._checkpoint:
            stream.restore(self._checkpoint)
        if record.desired == "paused":
            self._paused = True
            stream.pause()
        await stream.start()
        self.context.start_task(stream.run, name="run")
        self.context.schedule(first_checkpoint_in_s(record.id, self.context.now()), Checkpoint())
        self._ready_at = self.context.now()
        around.events.publish("instance.ready", instance=record.id, stream=record.stream, port=record.port)

    async def on_stop(self, reason: BaseException | None) -> None:
        """Finish what is in progress; keep the checkpoint of an ordered stop."""
        stream = self._stream
        if stream is None:
            return
        if reason is not None:
            stream.context.close_within_s = CLOSE_AFTER_FAILURE_S
        await stream.stop()
        # The state that led to a failure is not to be gone on from: the last checkpoint before it stands.
        if reason is None and (checkpoint := stream.checkpoint()) != self._checkpoint:
            await self._save(checkpoint)

    @on(Checkpoint)
    def checkpoint(self, message: Checkpoint) -> None:
        """Keep what the stream would go on from, where that has changed."""
        self.context.schedule(CHECKPOINT_EVERY_S, message)
        if not self._saving:
            checkpoint = self._running().checkpoint()
            if checkpoint != self._checkpoint:
                self.context.start_task(self._save, checkpoint, name="checkpoint")

    @on(Examine)
    def examine(self, _: Examine) -> Condition:
        """Say how it is."""
        stream = self._running()
        return Condition(
            health=stream.health(),
            paused=self._paused,
            funnel=stream.funnel(),
            details=stream.describe(),
            actions=tuple(stream.actions),
            up_s=self.context.now() - self._ready_at,
            traffic=stream.context.traffic.counts(),
        )

    @on(Pause)
    def pause(self, _: Pause) -> None:
        """Take no new work."""
        self._paused = True
        self._running().pause()

    @on(Resume)
    def resume(self, _: Resume) -> None:
        """Take work again."""
        self._paused = False
        self._running().resume()

    @on(Perform)
    def perform(self, message: Perform) -> asyncio.Future[Any]:
        """Do one of the stream's own actions, beside other messages: it may take long."""
        stream = self._running()
        kind = stream.actions.get(message.action)
        if kind is None:
            raise NoSuchAction(self._record.id, message.action, stream.actions)
        try:
            action = msgspec.convert(message.arguments, kind)
        except msgspec.ValidationError as error:
            raise WrongArguments(f"{message.action}: {error}") from error
        return self.context.answer_later(stream.act, action)

    @on(CreateKey)
    async def create_key(self, message: CreateKey) -> NewKey:
        """Make a key."""
        return await self._seller().create_key(
            plan=message.plan,
            quota=message.quota,
            rate=message.rate,
            credit=message.credit,
            label=message.label,
            own=message.own,
        )

    @on(ListKeys)
    def list_keys(self, _: ListKeys) -> tuple[KeyInfo, ...]:
        """List the keys."""
        return self._seller().list_keys()

    @on(RevokeKey)
    async def revoke_key(self, message: RevokeKey) -> None:
        """Revoke a key."""
        await self._seller().revoke_key(message.id)

    @on(Crash)
    def crash(self, _: Crash) -> None:
        """Fail."""
        raise CrashedOnRequest("chaos.crash was called")

    @on(Freeze)
    async def freeze(self, _: Freeze) -> None:
        """Never end; the kernel's handler limit finds it."""
        await asyncio.Event().wait()

    def _prepare(self) -> bytes:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        # The ledger writes it; who looks for it before the first booking should find it, and find it empty.
        (self._directory / "revenue_log.txt").touch(mode=0o600)
        return self._read_checkpoint()

    def _read_checkpoint(self) -> bytes:
        return self._around.checkpoints.read(self._record.id)

    async def _store_checkpoint(self, checkpoint: bytes) -> None:
        await self._around.checkpoints.save(self._record.id, checkpoint)

    def _context(self) -> StreamContext[Any]:
        record, around = self._record, self._around
        return StreamContext(
            id=record.id,
            stream=record.stream,
            directory=self._directory,
            host=around.host,
            port=record.port,
            settings=self._settings(),
            book=around.book,
            ledger=around.ledger,
            log=structlog.get_logger("streams." + record.stream).bind(
                actor=self.context.path, instance=record.id, stream=record.stream
            ),
            now=lambda: datetime.now(UTC),
            monotonic=monotonic,
            limits=Limits(),
            http=around.http,
            secret=around.secret,
            commons=around.commons,
            far_sides=around.far_sides,
            neighbours=around.directory.neighbours_of(record.id),
            share=around.shares.of(record.id),
        )

    def _settings(self) -> Any:
        try:
            return msgspec.convert(self._record.settings, self._kind.settings_type)
        except msgspec.ValidationError as error:
            raise WrongSettings(self._directory / SETTINGS_FILE, str(error)) from error

    async def _save(self, checkpoint: bytes) -> None:
        self._saving = True
        try:
            await self._store_checkpoint(checkpoint)
        except OSError as error:
            # The former checkpoint stands; an instance that earns is not stopped for want of a newer one.
            self._around.events.publish(
                "instance.checkpoint_failed", "warning", instance=self._record.id, reason=str(error)
            )
        else:
            self._checkpoint = checkpoint
        finally:
            self._saving = False

    def _running(self) -> Stream[Any]:
        assert self._stream is not None
        return self._stream

    def _seller(self) -> SellsByKey:
        stream = self._running()
        if not isinstance(stream, SellsByKey):
            raise DoesNotSellByKey(self._record.id)
        return stream
