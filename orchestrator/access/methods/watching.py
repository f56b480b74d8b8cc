"""`events.subscribe` and `logs.tail`: what happens, while it happens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
import structlog

from actors import ActorContext
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.events import Event, EventBus
from orchestrator.logs import MAX_TAIL_LINES, LogReader, UnknownLevelError

MAX_TOPICS = 100

MAX_WATCHES = 32
"""Subscriptions and followed logs of one connection."""

_log = structlog.get_logger(__name__)


class SubscribeParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events: names, or patterns such as `instance.*` and `*`."""

    topics: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...]


class Subscribed(msgspec.Struct, frozen=True):
    """The topics that will come as `events.event` on this connection."""

    topics: tuple[str, ...]


class TailParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines of the log."""

    lines: int = 50
    follow: bool = False
    level: str | None = None
    instance: str | None = None


class Tail(msgspec.Struct, frozen=True):
    """Lines of the log; those that follow come as `logs.line` on this connection."""

    items: tuple[Any, ...]
    following: bool


def register_watching(methods: Methods, events: EventBus, log_file: Path, owner: ActorContext[Any]) -> None:
    """Register the methods.

    Args:
        methods: The registry.
        events: The daemon's events.
        log_file: The daemon's log.
        owner: The actor whose tasks follow the log.
    """
    watches: WeakKeyDictionary[Session, int] = WeakKeyDictionary()

    def admit(session: Session) -> None:
        watches[session] = watches.get(session, 0) + 1
        if watches[session] > MAX_WATCHES:
            raise RpcError(jsonrpc.REFUSED, f"this connection watches {MAX_WATCHES} things already; open another")

    @methods.register("events.subscribe")
    def subscribe(params: SubscribeParams, session: Session) -> Subscribed:
        """Have events sent as `events.event` on this connection, until it ends."""
        if not params.topics or len(params.topics) > MAX_TOPICS:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"topics must name 1 to {MAX_TOPICS} events or patterns")

        def send(event: Event) -> None:
            session.notify("events.event", {"event": event.name, "timestamp": event.at, **_plain(event.fields)})

        admit(session)
        session.on_close(events.subscribe(params.topics, send))
        return Subscribed(params.topics)

    @methods.register("logs.tail")
    async def tail_logs(params: TailParams, session: Session) -> Tail:
        """Show the last lines of the log; with `follow`, those that come are sent as `logs.line`."""
        if not 0 <= params.lines <= MAX_TAIL_LINES:
            raise RpcError(jsonrpc.INVALID_PARAMS, f"lines must be from 0 to {MAX_TAIL_LINES}")
        try:
            reader = LogReader(log_file, level=params.level, instance=params.instance)
        except UnknownLevelError as error:
            raise RpcError(jsonrpc.INVALID_PARAMS, str(error)) from error
        if params.follow:
            admit(session)
        items = [msgspec.Raw(line) for line in await reader.last(params.lines)]
        if params.follow:
            task = owner.start_task(_follow, reader, session, name="logs.tail")
            session.on_close(task.cancel)
        return Tail(tuple(items), params.follow)

    async def _follow(reader: LogReader, session: Session) -> None:
        try:
            async for line in reader.follow():
                if not session.notify("logs.line", msgspec.Raw(line)):
                    return
                await asyncio.sleep(0)
        except OSError as error:
            # One who follows must not take the control socket down with them.
            _log.warning("logs.follow_failed", origin=session.origin, reason=str(error))


def _plain(fields: dict[str, Any]) -> Any:
    return msgspec.to_builtins(fields, enc_hook=str)
