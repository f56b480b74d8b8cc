"""Chromium, the real one, on the page of a real daemon that earns in its paper world."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.access.gateway.whereabouts import TOKEN_NAME
from tests.browser.telling_daemon import PIPE
from tests.end_to_end.daemon_process import DaemonProcess

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

NAMES = ("chromium", "chromium-browser", "google-chrome")
COMMAND = (sys.executable, "-m", "tests.browser.telling_daemon")
WAIT_MS = 8_000


class DaemonWithPage(DaemonProcess):
    """A daemon of two streams, whose customers call often enough for figures to move while one looks."""

    def __init__(self, home: Path) -> None:
        streams = {"api_services": {"count": 4}, "data_harvesting": {"count": 1}}
        # Decisions are those that a test tells.
        scaling = {"interval_s": 3600}
        super().__init__(
            home, instances=5, command=COMMAND, sandbox_calls_per_minute=120, scaling=scaling, streams=streams
        )

    @property
    def url(self) -> str:
        gateway = self.call("system.status")["gateway"]
        assert gateway["listening"], gateway["detail"]
        url: str = gateway["url"]
        return url

    @property
    def token(self) -> str:
        return (self.home / "state" / "secrets" / TOKEN_NAME).read_text().strip()

    def tell(self, event: str, **fields: Any) -> None:
        """Have it publish an event on its own bus."""
        pipe = os.open(self.home / PIPE, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, json.dumps({"event": event, **fields}).encode() + b"\n")
        finally:
            os.close(pipe)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonWithPage]:
    """One for all who leave it as they found it, but for bookings and what was told."""
    yield from _started(tmp_path_factory.mktemp("browser") / "home")


@pytest.fixture
def passing_daemon(tmp_path: Path) -> Iterator[DaemonWithPage]:
    """One that may be stopped."""
    yield from _started(tmp_path / "home")


def _started(home: Path) -> Iterator[DaemonWithPage]:
    made = DaemonWithPage(home)
    try:
        yield made.start()
    finally:
        made.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. As root it has no sandbox, and here it sees nothing but the daemon's own page."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no chromium here; .ci/run installs it")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def session(chromium: Any, daemon: DaemonWithPage) -> Iterator[Any]:
    """A browser's context that has logged in."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(daemon.url)
    page.get_by_label("Token").fill(daemon.token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{daemon.url}/")
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(session: Any, daemon: DaemonWithPage) -> Iterator[Any]:
    """The page, live. That the console stays empty of errors holds for every test."""
    page = session.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: said.type in ("error", "warning") and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(daemon.url)
    page.locator("body[data-connection=live]").wait_for()
    page.locator("#fleet:not([aria-busy])").wait_for()
    page.locator("#revenue:not([aria-busy])").wait_for()
    yield page
    page.close()
    assert complaints == []
