"""The child: one instance on a loop of its own, in a process that the warden has forked and limited."""

from __future__ import annotations

import asyncio
import os
import socket
import traceback
from functools import partial
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any, Final

import msgspec
import uvloop

from actors import (
    ActorEvent,
    ActorFailed,
    ActorRef,
    ActorStopped,
    ActorSystem,
    RestartPolicy,
    StartFailed,
    Supervisor,
    SystemFailed,
)
from actors.message import SignOfLife
from config.isolation import ProcessLimits
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.isolation.channel import Channel, open_channel
from orchestrator.fleet.isolation.conversation import Conversation
from orchestrator.fleet.isolation.frames import (
    ENCODER,
    FOR_CHILD,
    FOR_DAEMON,
    TELLS,
    TO_CHILD,
    Answer,
    Ask,
    Begin,
    Ended,
    Failed,
    FarSidesNow,
    Ready,
    Stop,
    ToChild,
    Told,
)
from orchestrator.fleet.isolation.remote import NoEvents, RemoteDirectory, RemoteInstance, RemoteLedger
from orchestrator.fleet.isolation.speech import Speech
from orchestrator.fleet.isolation.troubles import trouble_of
from orchestrator.http_client import HttpClient
from streams.commons import Commons
from streams.far_sides import FarSides
from streams.stream import Stream

PRELOADED: Final = (
    "aiohttp",
    "streams.affiliate_marketing.stream",
    "streams.api_services.stream",
    "streams.content_monetization.stream",
    "streams.crypto_arbitrage.stream",
    "streams.data_harvesting.stream",
    "streams.affiliate_marketing.app",
    "streams.api_services.app",
    "streams.content_monetization.app",
    "streams.crypto_arbitrage.page",
    "streams.data_harvesting.app",
)
"""What the warden imports once for all children: the project's own streams, with what they stand on, and nobody else's.
A third of a second less, and half the memory, for each child."""

TRACE_CHARS: Final = 8000
"""Of a failure's traceback, the last so many are told."""

_ASK_S: Final = 60.0
_FAILED: Final = 70


def main(descriptor: int, limits: ProcessLimits) -> int:
    """Be the child at this end of the channel, and return its exit status."""
    invalidate_caches()
    return uvloop.run(_live(socket.socket(fileno=descriptor), limits))


async def _live(end: socket.socket, limits: ProcessLimits) -> int:
    channel = await open_channel(end, limits.frame_bytes)
    child = Child(channel)
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(child.listen())
        status = await child.run()
        await channel.flush()
        listening.cancel()
    return status


class Child:
    """Runs one life of an instance.

    Args:
        channel: To the daemon.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._daemon = Conversation(channel, FOR_DAEMON, "the daemon")
        self._begin: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self._stopping = asyncio.Event()
        self._far_sides = FarSides()
        self._instance: ActorRef[Any] | None = None
        self._failure: BaseException | None = None

    async def listen(self) -> None:
        """Take what the daemon says, until it goes."""
        async for frames in self._channel.frames():
            for frame in frames:
                self._take(TO_CHILD.decode(frame))
        # Nobody is there any more to book with: what is in progress cannot be finished.
        os._exit(0)

    async def run(self) -> int:
        """Run the instance until it is asked to stop, or fails; returns the exit status."""
        begin = await self._begin
        Speech(self._channel, begin.level).take_over()
        self._set_far_sides(begin.far_sides)
        http = HttpClient()
        try:
            await http.prepare()
            kind = await asyncio.to_thread(_load, begin.source)
            async with ActorSystem(
                begin.record.id, policy=RestartPolicy(max_restarts=0, when_exhausted="escalate")
            ) as system:
                system.events.subscribe(partial(self._note, f"/{begin.record.id}"))
                around = await self._surroundings(system, begin, http)
                self._instance = await system.spawn(
                    lambda: RemoteInstance(begin.record, kind, around, begin.checkpoint, self._daemon), begin.record.id
                )
                self._channel.send(ENCODER.encode(Ready()))
                await self._stopping.wait()
        except SystemFailed as error:
            return self._end(self._failure or error)
        except StartFailed as error:
            return self._end(error.__cause__ or error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the daemon should hear of it
            return self._end(error)
        finally:
            await http.close()
        return 0

    async def _surroundings(self, system: ActorSystem, begin: Begin, http: HttpClient) -> Surroundings:
        lenient = RestartPolicy(when_exhausted="delay", per_child=True)
        commons = await system.spawn(lambda: Supervisor(policy=lenient, ordered=False), "commons")
        directory = Path(begin.directory)
        return Surroundings(
            instances=directory.parent,
            checkpoints=Checkpoints(directory),  # unused: the daemon keeps them
            host=begin.host,
            book=begin.book,
            ledger=await system.spawn(lambda: RemoteLedger(self._daemon), "ledger"),
            events=NoEvents(),
            http=http.session,
            secret=begin.secrets.get,
            commons=Commons(commons),
            far_sides=self._far_sides,
            directory=RemoteDirectory(self._daemon),
        )

    def _note(self, path: str, event: ActorEvent) -> None:
        if isinstance(event, ActorFailed) and event.path == path:
            self._failure = event.error

    def _end(self, error: BaseException) -> int:
        trace = "".join(traceback.format_exception(error))[-TRACE_CHARS:]
        self._channel.send(ENCODER.encode(Ended(trouble_of(error), trace)))
        return _FAILED

    # -- what the daemon says -------------------------------------------------------------------------------

    def _take(self, frame: ToChild) -> None:
        match frame:
            case Ask():
                self._asked(frame)
            case Answer() | Failed():
                self._daemon.take(frame)
            case Begin():
                self._begin.set_result(frame)
            case Told():
                if self._instance is not None:
                    self._instance.tell(TELLS[frame.what])
            case FarSidesNow():
                self._set_far_sides(frame.far_sides)
            case Stop():
                self._stopping.set()

    def _asked(self, ask: Ask) -> None:
        instance = self._instance
        if instance is None:
            self._daemon.refuse(ask.number, ActorStopped("the instance"))
            return
        message: Any = SignOfLife() if ask.what == "Alive" else FOR_CHILD[ask.what].read.decode(ask.body)
        reply = instance.ask(message, _ASK_S)
        reply.add_done_callback(partial(self._daemon.answer, ask.number))

    def _set_far_sides(self, now: tuple[Any, ...]) -> None:
        for former in self._far_sides.all():
            if all(former.name != each.name for each in now):
                self._far_sides.remove(former.name)
        for each in now:
            self._far_sides.add(each)


class NoStream(Exception):
    """The class that a child was to run is none."""


def _load(source: str) -> type[Stream[Any]]:
    module, _, name = source.partition(":")
    kind: Any = import_module(module)
    for part in name.split("."):
        kind = getattr(kind, part)
    if not (isinstance(kind, type) and issubclass(kind, Stream)):
        raise NoStream(f"{source} is no subclass of Stream")
    # Met here, by one thread: two that meet a type of msgspec's for the first time at once crash the process.
    for struct in (kind.settings_type, *kind.actions.values()):
        msgspec.json.Decoder(struct)
    return kind
