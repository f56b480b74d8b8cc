"""The gateway as an actor: it listens while the daemon runs, and goes on trying while it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors import Actor, ActorContext, Message, on
from config.errors import ConfigError, HomeError
from config.secrets import Secret, ensure_token
from orchestrator.access.dispatch import Methods
from orchestrator.access.gateway.credentials import Credentials
from orchestrator.access.gateway.event_hub import EventHub
from orchestrator.access.gateway.event_stream import EventStream
from orchestrator.access.gateway.login_limit import LoginLimit
from orchestrator.access.gateway.sessions import Sessions
from orchestrator.access.gateway.whereabouts import TOKEN_NAME, GatewayView, Whereabouts
from orchestrator.access.methods.system import DaemonState, ServiceCount
from orchestrator.access.openrpc import register_discover
from orchestrator.events import EventBus
from orchestrator.release import VERSION
from streams.addresses import address_of
from streams.http_host import CannotListen, HostStats, HttpApp, HttpHost, PortTaken

if TYPE_CHECKING:
    from orchestrator.access.gateway.metrics.snapshot import Snapshot, Sources
    from orchestrator.access.gateway.observing import Condition

FIRST_RETRY_S: Final = 2.0
LONGEST_RETRY_S: Final = 60.0


class Open(Message, frozen=True):
    """Try to listen again."""


class GatewaySetup(msgspec.Struct, frozen=True):
    """What the gateway needs of the daemon.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for any.
        names: Host names that it is known by, besides addresses and `localhost`.
        secrets: The directory of the daemon's tokens.
        register: Registers the methods, with the actor whose tasks they may use.
        events: The daemon's events.
        sources: Who is asked for metrics.
        count: Counts the services that run, and all.
        state: Reads what the daemon is doing.
        sessions: The browsers that have logged in; they outlive the actor.
        limit: How often an address may try to log in; it outlives the actor, too.
        whereabouts: Where to tell the address.
    """

    host: str
    port: int
    names: tuple[str, ...]
    secrets: Path
    register: Callable[[Methods, ActorContext[Any]], None]
    events: EventBus
    sources: Sources
    count: Callable[[], Any]
    state: Callable[[], DaemonState]
    sessions: Sessions
    limit: LoginLimit
    whereabouts: Whereabouts


class Gateway(Actor[Open]):
    """Serves the methods, events and metrics over HTTP.

    Args:
        setup: What it needs.
    """

    stop_timeout_s = 8.0

    def __init__(self, setup: GatewaySetup) -> None:
        self._setup = setup
        self._hub: EventHub
        self._streams: set[EventStream] = set()
        self._host: HttpHost | None = None
        self._retry_s = FIRST_RETRY_S

    async def on_start(self) -> None:
        """Listen. That it cannot keeps nothing else from running."""
        self._hub = EventHub(self._setup.events, self.context.start_task)
        await self._open()

    async def on_stop(self, reason: BaseException | None) -> None:
        """End the endless answers, finish the others, and close."""
        setup = self._setup
        if (view := setup.whereabouts.view) is not None:
            setup.whereabouts.view = GatewayView(view.url, False, "it is stopped")
        for stream in tuple(self._streams):
            stream.close()
        self._hub.close()
        if self._host is not None:
            await self._host.close(5.0)

    @on(Open)
    async def open(self, _: Open) -> None:
        """Try again."""
        await self._open()

    async def _open(self) -> None:
        setup = self._setup
        try:
            if self._host is None:
                token = await asyncio.to_thread(ensure_token, setup.secrets, TOKEN_NAME)
                self._host = await self._make_host(token)
            await self._host.start()
        except (CannotListen, HomeError, ConfigError) as error:
            detail = str(error)
            if isinstance(error, PortTaken):
                detail = (
                    f"another program listens on {setup.host}:{setup.port}. Find it with "
                    f"`ss -ltnp 'sport = :{setup.port}'` and stop it, or set gateway_port in fleet_config.json"
                )
            self._tell(GatewayView(address_of(setup.host, setup.port), False, detail))
            self.context.schedule(self._retry_s, Open())
            self._retry_s = min(LONGEST_RETRY_S, self._retry_s * 2)
        else:
            self._retry_s = FIRST_RETRY_S
            self._tell(GatewayView(address_of(setup.host, self._host.port), True))

    def _tell(self, view: GatewayView) -> None:
        before, self._setup.whereabouts.view = self._setup.whereabouts.view, view
        if view.listening:
            self._setup.events.publish("gateway.listening", url=view.url)
        elif view != before:
            self._setup.events.publish("gateway.not_listening", "warning", url=view.url, reason=view.detail)

    async def _make_host(self, token: Secret) -> HttpHost:
        setup = self._setup
        methods = Methods()
        setup.register(methods, self.context)
        register_discover(methods, title="automate", version=VERSION)
        app = await asyncio.to_thread(self._build, methods, token)
        return HttpHost(app, setup.host, setup.port, {})

    def _build(self, methods: Methods, token: Secret) -> HttpApp:
        # What these import costs some 20 MB and half a second of a thread's time.
        from orchestrator.access.gateway.app import Parts, build_app
        from orchestrator.access.gateway.metrics.exposition import Exposition
        from orchestrator.access.gateway.observing import Watching

        setup = self._setup
        # Cookies know no ports: two daemons of one machine would overwrite each other's.
        cookie = f"automate_session_{setup.port}"
        credentials = Credentials(token, setup.sessions, cookie)
        watching = Watching(
            methods=methods,
            hub=self._hub,
            exposition=Exposition(setup.sources.mode, self._look),
            credentials=credentials,
            streams=self._streams,
            condition=self._condition,
        )
        return HttpApp(build_app(Parts(watching, credentials, setup.sessions, setup.limit, cookie, setup.names)))

    async def _look(self) -> Snapshot:
        from orchestrator.access.gateway.metrics.snapshot import take_snapshot

        stats: HostStats | None = self._host.stats() if self._host is not None else None
        return await take_snapshot(self._setup.sources, self._hub.statistics(), stats)

    async def _condition(self) -> Condition:
        from orchestrator.access.gateway.observing import Condition

        count: ServiceCount = await self._setup.count()
        state = self._setup.state()
        ok = state in ("running", "reloading") and count.up == count.total
        return Condition(ok, f"{state}, {count.up} of {count.total} services up")
