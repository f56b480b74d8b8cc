"""The routes of those who watch: events, the log as it grows, metrics, health."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from litestar import get, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods
from orchestrator.access.gateway.credentials import Credentials
from orchestrator.access.gateway.event_hub import EventHub, TooManyListeners
from orchestrator.access.gateway.event_stream import EventStream
from orchestrator.access.gateway.guard import caller_of
from orchestrator.access.gateway.log_follower import LogFollower
from orchestrator.access.gateway.metrics.exposition import Exposition
from orchestrator.access.gateway.parameters import from_query
from orchestrator.access.gateway.problems import problem_of, refusal
from orchestrator.access.gateway.routes import PREFIX
from orchestrator.access.jsonrpc import RpcError
from orchestrator.access.methods.watching import MAX_TOPICS
from streams.http_answer import JSON_TYPE, HttpAnswer
from streams.http_app import READ, AnyRequest

MAX_FOLLOWERS: Final = 32
"""Who may follow the log at a time: each reads the file for itself."""

_LONGEST_TOPIC: Final = 200


class Condition(msgspec.Struct, frozen=True):
    """Whether the daemon serves.

    Attributes:
        ok: Whether it does, wholly.
        detail: What is amiss, or how many services are up.
    """

    ok: bool
    detail: str


class Watching(msgspec.Struct, frozen=True):
    """What is watched.

    Attributes:
        methods: The dispatch.
        hub: Where events come from.
        exposition: The metrics.
        credentials: Says whether a caller may go on.
        streams: The endless answers in progress.
        condition: Tells whether the daemon serves.
    """

    methods: Methods
    hub: EventHub
    exposition: Exposition
    credentials: Credentials
    streams: set[EventStream]
    condition: Callable[[], Awaitable[Condition]]


def observing_handlers(on: Watching) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    followers: set[LogFollower] = set()

    @get(f"{PREFIX}/events")
    async def events(request: AnyRequest) -> ASGIApp:
        caller = caller_of(request.scope)
        try:
            listener = on.hub.join(_topics_in(request.scope["query_string"]))
        except RpcError as error:
            return problem_of(error)
        except TooManyListeners:
            return refusal(503, "too_many_listeners", "too many listen already", [_LATER])
        return EventStream(listener, lambda: on.credentials.lasts(caller), on.streams)

    @get(f"{PREFIX}/logs/stream")
    async def follow_log(request: AnyRequest) -> ASGIApp:
        caller = caller_of(request.scope)
        if len(followers) >= MAX_FOLLOWERS:
            return refusal(503, "too_many_followers", "too many follow the log already", [_LATER])
        follower = LogFollower(caller.origin)
        followers.add(follower)
        follower.on_close(lambda: followers.discard(follower))
        try:
            await _begin_following(on.methods, follower, request.scope["query_string"])
        except BaseException as error:
            follower.leave()
            if isinstance(error, RpcError):
                return problem_of(error)
            raise
        return EventStream(follower, lambda: on.credentials.lasts(caller), on.streams)

    @route("/metrics", http_method=READ)
    async def metrics(request: AnyRequest) -> ASGIApp:
        return await on.exposition.answer(request.headers.get("accept", ""))

    @route("/healthz", http_method=READ)
    async def healthz(request: AnyRequest) -> ASGIApp:
        condition = await on.condition()
        told = {"status": "ok" if condition.ok else "unavailable", "detail": condition.detail}
        return HttpAnswer(200 if condition.ok else 503, JSON_TYPE, msgspec.json.encode(told))

    return [events, follow_log, metrics, healthz]


_LATER: Final = (b"retry-after", b"10")


async def _begin_following(methods: Methods, follower: LogFollower, query: bytes) -> None:
    method = next(method for method in methods if method.name == "logs.tail")
    params = {**from_query(method, query, {}), "follow": True}
    shown = msgspec.json.decode(await methods.ask(method.name, params, follower), type=_Shown)
    for line in shown.items:
        follower.add(bytes(line))


class _Shown(msgspec.Struct, frozen=True):
    items: tuple[msgspec.Raw, ...]


def _topics_in(query: bytes) -> tuple[str, ...]:
    """Return the topics: parted by commas or given several times; all where none is named."""
    try:
        given: dict[str, Any] = parse_qs(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_TOPICS, errors="strict"
        )
    except ValueError as error:
        raise RpcError(jsonrpc.INVALID_PARAMS, "the query cannot be read") from error
    topics = tuple(topic for value in given.get("topics", ["*"]) for topic in value.split(",") if topic)
    if not topics or len(topics) > MAX_TOPICS or max(map(len, topics)) > _LONGEST_TOPIC:
        raise RpcError(jsonrpc.INVALID_PARAMS, f"topics must name 1 to {MAX_TOPICS} events or patterns")
    return topics
