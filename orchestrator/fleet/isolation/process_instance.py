"""An instance in a process of its own, as the fleet sees it: the same actor, whose work is done elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import msgspec
import structlog

from actors import Actor, ActorStopped, AskTimeout, on
from config.isolation import ProcessLimits
from orchestrator.fleet.instance import (
    Condition,
    Crash,
    Examine,
    Freeze,
    Pause,
    Perform,
    Resume,
    Surroundings,
    WrongSettings,
)
from orchestrator.fleet.isolation.allowance import Allowance
from orchestrator.fleet.isolation.channel import Channel, ChannelBroken, open_channel
from orchestrator.fleet.isolation.conversation import Conversation
from orchestrator.fleet.isolation.desk import Desk
from orchestrator.fleet.isolation.frames import (
    ENCODER,
    FOR_CHILD,
    TO_DAEMON,
    Alive,
    Answer,
    Ask,
    Begin,
    Ended,
    Failed,
    FarSidesNow,
    Ready,
    Said,
    Stop,
    ToDaemon,
    Told,
)
from orchestrator.fleet.isolation.keeper import Keeper, Kept
from orchestrator.fleet.isolation.output import read_output
from orchestrator.fleet.isolation.secrets_named import secrets_named
from orchestrator.fleet.isolation.voice import Voice
from orchestrator.fleet.isolation.warden_messages import Gone
from orchestrator.fleet.record import SETTINGS_FILE, Record
from streams.metering.messages import CreateKey, ListKeys, RevokeKey
from streams.metering.selling import KeyInfo, NewKey
from streams.stream import Stream

_PERFORM_S: Final = 60.0
_GRACE_S: Final = 0.25
"""What an answer may be late because the daemon's own loop was."""

_GONE_S: Final = 3.0
_AT_ONCE: Final = 64
"""Frames of one child that are taken before others get their turn."""

_OPEN: Final = 512
"""Questions of one child that are being answered at once; it waits with more."""

_FRAME_BYTES: Final = 4096
"""A longer message counts as several."""


class ProcessEnded(Exception):
    """The process of an instance has ended, or was ended; the text says why."""


class FailedInProcess(Exception):
    """An instance has failed in its process; the text has the failure, the note its traceback."""


class Shared(msgspec.Struct, frozen=True):
    """What the lives of instances in processes share besides their surroundings.

    Attributes:
        limits: Reads the limits in force.
        keeper: Returns the keeper of the warden, which is started when it is first needed.
    """

    limits: Callable[[], ProcessLimits]
    keeper: Callable[[], Awaitable[Keeper]]


class ProcessInstance(Actor[Examine | Pause | Resume | Perform | CreateKey | ListKeys | RevokeKey | Crash | Freeze]):
    """Runs one child per life.

    Args:
        record: What is kept of it.
        kind: Its stream's class.
        around: What all instances share.
        shared: What those in processes share besides.
    """

    handler_limit_s = 5.0
    start_timeout_s = 120.0
    stop_timeout_s = 15.0
    mailbox_capacity = 256

    def __init__(self, record: Record, kind: type[Stream[Any]], around: Surroundings, shared: Shared) -> None:
        self._record = record
        self._kind = kind
        self._around = around
        self._shared = shared
        self._limits = shared.limits()
        self._directory = around.instances / record.id
        self._keeper: Keeper | None = None
        self._kept: Kept | None = None
        self._channel: Channel | None = None
        self._child: Conversation | None = None
        self._desk: Desk | None = None
        self._far_sides: tuple[Any, ...] = ()
        self._stopping = False
        self._open = 0
        self._room: asyncio.Event
        self._ready: asyncio.Future[None]
        self._failed: asyncio.Future[None]
        self._frames: Allowance
        self._voice: Voice

    # -- start and stop -------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Have a child forked, and wait until its instance is ready."""
        record, around, limits = self._record, self._around, self._limits
        around.events.publish("instance.started", instance=record.id, stream=record.stream, port=record.port)
        loop = self.context.loop
        self._ready, self._failed, self._room = loop.create_future(), loop.create_future(), asyncio.Event()
        self._frames = Allowance(limits.frames_per_s, loop.time())
        checkpoint = await asyncio.to_thread(self._prepare)
        begin = self._begin(checkpoint)
        self._keeper = keeper = await self._shared.keeper()
        self._kept = kept = await keeper.fork(record.id, self._directory, limits)
        log = structlog.get_logger("streams." + record.stream).bind(
            actor=self.context.path, instance=record.id, stream=record.stream, process=kept.pid
        )
        self._voice = Voice(log, limits.lines_per_s, loop.time)
        start = self.context.start_task
        start(read_output, kept.output, partial(self._voice.output, "stdout"), name="stdout")
        start(read_output, kept.error, partial(self._voice.output, "stderr"), name="stderr")
        self._channel = await open_channel(kept.channel, limits.frame_bytes)
        self._child = Conversation(self._channel, FOR_CHILD, record.id)
        self._desk = Desk(record, around, self._keep_checkpoint, self.context.answer_later)
        start(self._listen, name="listen")
        self._channel.send(begin)
        await asyncio.wait(
            {self._ready, self._failed}, timeout=limits.start_timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if self._failed.done():
            await self._failed
        if not self._ready.done():
            raise ProcessEnded(f"it was not ready within {limits.start_timeout_s:g} s, and was ended")
        start(self._watch, name="watch")
        start(self._ask_for_life, name="heartbeat")
        around.events.publish(
            "instance.ready", instance=record.id, stream=record.stream, port=record.port, process=kept.pid
        )

    async def on_stop(self, reason: BaseException | None) -> None:
        """Have the child stop in order, or end it; it is gone, with all it has started, when this returns."""
        kept, keeper = self._kept, self._keeper
        try:
            if kept is None or keeper is None:
                return
            if reason is None and self._channel is not None:
                self._stopping = True
                self._channel.send(ENCODER.encode(Stop()))
                await asyncio.wait({kept.gone}, timeout=self._limits.stop_timeout_s)
        finally:
            if kept is not None and keeper is not None:
                keeper.end(kept, "it did not stop in time" if reason is None else "its instance has failed")
            if self._child is not None:
                self._child.close(ActorStopped(self.context.path))
        await asyncio.wait({kept.gone}, timeout=_GONE_S)
        if self._channel is not None:
            self._channel.close()
        else:
            kept.channel.close()

    def _prepare(self) -> bytes:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        (self._directory / "revenue_log.txt").touch(mode=0o600)
        return self._around.checkpoints.read(self._record.id)

    def _begin(self, checkpoint: bytes) -> bytes:
        record, around = self._record, self._around
        try:
            settings = msgspec.convert(record.settings, self._kind.settings_type)
        except msgspec.ValidationError as error:
            raise WrongSettings(self._directory / SETTINGS_FILE, str(error)) from error
        self._far_sides = around.far_sides.all()
        return ENCODER.encode(
            Begin(
                record=record,
                source=f"{self._kind.__module__}:{self._kind.__qualname__}",
                host=around.host,
                book=around.book,
                directory=str(self._directory),
                checkpoint=checkpoint,
                secrets=secrets_named(self._kind, settings, around.secret),
                far_sides=self._far_sides,
            )
        )

    # -- messages -------------------------------------------------------------------------------------------------

    @on(Examine)
    def examine(self, message: Examine) -> asyncio.Future[Condition]:
        """Say how it is, and what its process uses."""
        return self.context.answer_later(self._examine, message)

    async def _examine(self, message: Examine) -> Condition:
        condition: Condition = await self._relay(message)
        kept = self._kept
        assert kept is not None
        process = {
            "pid": kept.pid,
            "memory_bytes": kept.use.memory_bytes,
            "cpu_share": kept.cpu_share,
            "cpu_s": round(kept.use.cpu_s, 2),
            "processes": kept.use.processes,
            "threads": kept.use.threads,
        }
        return msgspec.structs.replace(condition, details={**condition.details, "process": process})

    @on(Pause)
    def pause(self, message: Pause) -> asyncio.Future[None]:
        """Take no new work."""
        return self._relay(message)

    @on(Resume)
    def resume(self, message: Resume) -> asyncio.Future[None]:
        """Take work again."""
        return self._relay(message)

    @on(Perform)
    def perform(self, message: Perform) -> asyncio.Future[Any]:
        """Do one of the stream's own actions."""
        return self._conversation().ask(message, _PERFORM_S)

    @on(CreateKey)
    def create_key(self, message: CreateKey) -> asyncio.Future[NewKey]:
        """Make a key."""
        return self._relay(message)

    @on(ListKeys)
    def list_keys(self, message: ListKeys) -> asyncio.Future[tuple[KeyInfo, ...]]:
        """List the keys."""
        return self._relay(message)

    @on(RevokeKey)
    def revoke_key(self, message: RevokeKey) -> asyncio.Future[None]:
        """Revoke a key."""
        return self._relay(message)

    @on(Crash)
    def crash(self, _: Crash) -> None:
        """Fail, in the process."""
        self._send(Told("Crash"))

    @on(Freeze)
    def freeze(self, _: Freeze) -> None:
        """Never end, in the process; the limit on handlers holds there, too."""
        self._send(Told("Freeze"))

    def _relay(self, message: msgspec.Struct) -> asyncio.Future[Any]:
        """Ask the child what it has to answer within the limit of a handler, and end it where it does not."""
        answer = self._conversation().ask(message, self._limits.heartbeat_s + 1.0)
        answer.add_done_callback(partial(self._note_silence, type(message).__name__))
        return answer

    def _note_silence(self, what: str, answer: asyncio.Future[Any]) -> None:
        if not answer.cancelled() and isinstance(answer.exception(), AskTimeout):
            self._fail(ProcessEnded(f"it left {what} unanswered for {self._limits.heartbeat_s + 1:g} s"))

    # -- what the child says --------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Take frames, no faster than is allowed, until the channel closes; then say why it did."""
        assert self._channel is not None
        try:
            async for batch in self._channel.frames():
                for start in range(0, len(batch), _AT_ONCE):
                    await self._take_some(batch[start : start + _AT_ONCE])
        except (ChannelBroken, msgspec.DecodeError) as error:
            self._fail(ProcessEnded(f"what it sent is no message: {error}"))
        else:
            self._fail(await self._why_it_ended())

    async def _take_some(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._take(TO_DAEMON.decode(frame))
        cost = sum(1 + len(frame) // _FRAME_BYTES for frame in frames)
        await asyncio.sleep(self._frames.take(cost, self.context.loop.time()))
        assert self._channel is not None
        while self._open >= _OPEN:
            self._room.clear()
            await self._room.wait()
        if self._channel.congested:
            await self._channel.drain()

    def _take(self, frame: ToDaemon) -> None:
        assert self._child is not None
        match frame:
            case Ask():
                self._serve(frame)
            case Answer() | Failed():
                self._child.take(frame)
            case Said():
                self._voice.line(frame)
            case Ready():
                if not self._ready.done():
                    self._ready.set_result(None)
            case Ended():
                failure = FailedInProcess(f"{frame.trouble.kind}: {frame.trouble.text}")
                failure.add_note(frame.trace)
                self._fail(failure)

    def _serve(self, ask: Ask) -> None:
        assert self._desk is not None
        assert self._child is not None
        try:
            reply = self._desk.serve(ask)
        except ChannelBroken:
            raise
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being answered is the answer
            self._child.refuse(ask.number, error)
            if not self._voice.may_speak():
                return
            self._around.events.publish(
                "instance.refused",
                "warning",
                instance=self._record.id,
                stream=self._record.stream,
                question=ask.what,
                reason=str(error),
            )
            return
        self._open += 1
        reply.add_done_callback(partial(self._served, ask.number))

    def _served(self, number: int, reply: asyncio.Future[Any]) -> None:
        self._open -= 1
        self._room.set()
        if self._child is not None:
            self._child.answer(number, reply)

    async def _keep_checkpoint(self, checkpoint: bytes) -> None:
        try:
            await self._around.checkpoints.save(self._record.id, checkpoint)
        except OSError as error:
            self._around.events.publish(
                "instance.checkpoint_failed", "warning", instance=self._record.id, reason=str(error)
            )
            raise

    # -- watching -------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Fail as the child failed."""
        await asyncio.shield(self._failed)

    async def _ask_for_life(self) -> None:
        """Ask for signs of life, and tell the child who is on the other side when that changes."""
        limit_s = self._limits.heartbeat_s
        pause_s = min(1.0, limit_s / 4)
        while True:
            await asyncio.sleep(pause_s)
            if self._stopping or self._failed.done():
                return
            if (now := self._around.far_sides.all()) != self._far_sides:
                self._far_sides = now
                self._send(FarSidesNow(now))
            answer = self._conversation().ask(Alive(), 2 * limit_s)
            await asyncio.wait({answer}, timeout=limit_s - pause_s)
            if not answer.done():
                await asyncio.wait({answer}, timeout=_GRACE_S)
            if not answer.done():
                answer.cancel()
                self._fail(ProcessEnded(f"it gave no sign of life for {limit_s:g} s, and was ended"))
                return

    async def _why_it_ended(self) -> Exception:
        """Return why the channel has closed: mostly because the process has ended."""
        kept, keeper = self._kept, self._keeper
        assert kept is not None
        assert keeper is not None
        done, _ = await asyncio.wait({kept.gone}, timeout=1.0)
        if not done:
            return ProcessEnded("it closed its channel, and was ended")
        return ProcessEnded(_told(kept.gone.result()))

    def _fail(self, error: Exception) -> None:
        if not self._failed.done() and not self._stopping:
            self._failed.set_exception(error)
            self._failed.exception()  # while it starts and stops, not everybody asks

    def _send(self, frame: msgspec.Struct) -> None:
        if self._channel is not None:
            self._channel.send(ENCODER.encode(frame))

    def _conversation(self) -> Conversation:
        assert self._child is not None
        return self._child


def _told(gone: Gone) -> str:
    if gone.reason:
        return f"its process was ended: {gone.reason}"
    if gone.status < 0:
        return f"its process was killed by signal {-gone.status}"
    return f"its process ended with exit status {gone.status}"
