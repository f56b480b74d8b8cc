"""A gateway of a real fleet with a real ledger, on a real port, and the control socket of the same daemon beside it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import msgspec
import pytest

from actors import ActorContext, ActorRef, Supervisor
from config import ConfigStore, Settings, resolve_home
from config.fleet import multipliers_of
from orchestrator.access.control import Control
from orchestrator.access.dispatch import Methods
from orchestrator.access.gateway.gateway import Gateway, GatewaySetup
from orchestrator.access.gateway.login_limit import LoginLimit
from orchestrator.access.gateway.metrics.snapshot import Sources
from orchestrator.access.gateway.sessions import Sessions
from orchestrator.access.gateway.whereabouts import TOKEN_NAME, Whereabouts
from orchestrator.access.methods.configuration import register_config
from orchestrator.access.methods.fleet import register_fleet
from orchestrator.access.methods.keys import register_keys
from orchestrator.access.methods.ledger import register_ledger
from orchestrator.access.methods.sandbox import register_sandbox
from orchestrator.access.methods.system import DaemonState, SystemMethods, register_system
from orchestrator.access.methods.vitals import register_vitals
from orchestrator.access.methods.watching import register_watching
from orchestrator.money.ledger import Ledger
from orchestrator.services import Services
from tests.orchestrator.fleet.fakes import FleetUnderTest
from tests.orchestrator.money.bookings import api_call

Answer = tuple[int, dict[str, str], Any]


class GatewayUnderTest:
    """What a test holds of a gateway.

    Attributes:
        url: Where it listens.
        token: What it asks for.
        socket: The control socket of the same daemon.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.fleet = FleetUnderTest(directory, stall=2)
        self.paths = resolve_home(str(directory / "home"), {})
        self.store = ConfigStore(self.paths, multipliers_of(["stall"]))
        self.log_file = self.paths.log_file
        self.socket = directory / "control.sock"
        self.state: DaemonState = "running"
        self.asked_to_stop: list[str] = []
        self.whereabouts = Whereabouts()
        self.now_s = 0.0
        self.sessions = Sessions(lambda: self.now_s)
        self.limit = LoginLimit(lambda: self.now_s)
        self.methods: Methods
        self.ledger: ActorRef[Any]
        self.ref: ActorRef[Any]
        self.http: aiohttp.ClientSession
        self.token = ""

    @property
    def url(self) -> str:
        assert self.whereabouts.view is not None
        return self.whereabouts.view.url

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    async def ask(self, method: str, path: str, *, token: str | None = "", **options: Any) -> Answer:
        """Send a request, with the token unless another is given, or None; return status, headers and content."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        options.setdefault("allow_redirects", False)
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            text = await answer.text()
            is_json = "json" in answer.headers.get("Content-Type", "")
            told = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, told, json.loads(text) if is_json and text else text

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        if body is not None:
            options["json"] = body
        return await self.ask("POST", path, **options)

    async def log_in(self) -> str:
        """Log a browser in, and return its cookie."""
        status, headers, _ = await self.post("/login", token=None, data={"token": self.token})
        assert status == 303
        return headers["set-cookie"].partition(";")[0]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        await asyncio.to_thread(self.paths.create)
        store = self.store
        settings = await asyncio.to_thread(store.load)

        async def change(section: str, values: Any) -> Settings:
            nonlocal settings
            settings = await asyncio.to_thread(store.set_section, section, values)
            return settings

        async def reload() -> None:
            return None

        began = monotonic()
        async with self.fleet.running():
            system = self.fleet.system
            services = Services(system)
            self.ledger = await services.start(
                lambda: Ledger(self.directory / "ledger.sqlite3", self.directory / "instances"), "ledger"
            )
            await services.start_supervisor(Supervisor, "customers")
            for number in range(1, 4):
                await self.ledger.ask(api_call(number), 5)
            await self.fleet.until("rollout.completed")

            def register(methods: Methods, owner: ActorContext[Any]) -> None:
                asked = SystemMethods(
                    system=system,
                    services=services.count,
                    fleet=self.fleet.manager,
                    ledger=self.ledger,
                    state=lambda: self.state,
                    mode="sandbox",
                    began=began,
                    home=str(self.directory),
                    log_file=str(self.log_file),
                    shut_down=self.asked_to_stop.append,
                    reload=reload,
                    gateway=lambda: self.whereabouts.view,
                )
                register_system(methods, asked)
                register_fleet(methods, self.fleet.manager)
                register_keys(methods, self.fleet.manager)
                register_ledger(methods, self.ledger)
                register_sandbox(methods, None)
                register_config(methods, lambda: settings, change)
                register_vitals(methods, services.look, self.directory)
                register_watching(methods, self.fleet.bus, self.log_file, owner)
                self.methods = methods

            await services.start(
                lambda: Control(self.socket, None, lambda methods, control: register(methods, control.context)),
                "control",
            )
            setup = GatewaySetup(
                host="127.0.0.1",
                port=self.port,
                names=("gateway.example",),
                secrets=self.paths.secrets,
                register=register,
                events=self.fleet.bus,
                sources=Sources(services.look, self.fleet.manager, self.ledger, self.directory, began, "sandbox"),
                count=services.count,
                state=lambda: self.state,
                sessions=self.sessions,
                limit=self.limit,
                whereabouts=self.whereabouts,
            )
            self.ref = await services.start(lambda: Gateway(setup), "gateway")
            self.token = (await asyncio.to_thread((self.paths.secrets / TOKEN_NAME).read_text)).strip()
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as self.http:
                yield


@pytest.fixture
def resting(tmp_path: Path) -> GatewayUnderTest:
    """One that is not started yet."""
    return GatewayUnderTest(tmp_path)


@pytest.fixture
async def gateway(resting: GatewayUnderTest) -> AsyncIterator[GatewayUnderTest]:
    async with resting.running():
        yield resting


@pytest.fixture
def write_log() -> Callable[[Path, Any], Any]:
    """Add a line to a log."""

    async def write(file: Path, line: Any) -> None:
        def append() -> None:
            with file.open("ab") as log:
                log.write(msgspec.json.encode(line) + b"\n")

        await asyncio.to_thread(append)

    return write
