"""The page as a person uses it: keys in, screen out."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from orchestrator.access.client import Client
from orchestrator.access.top import feed
from orchestrator.access.top.app import Top
from orchestrator.access.top.instance import InstanceScreen
from orchestrator.access.top.rows import Selection
from orchestrator.access.top.virtual_table import VirtualTable
from tests.orchestrator.access.cli.conftest import COMMAND, configure, start, wait_until_up

# The loop is the page's own: nobody but it waits while Textual reads its style sheets.
pytestmark = pytest.mark.may_block

FIRST, SECOND, THIRD = (f"api_services-00{n}" for n in (1, 2, 3))
SMALL = (80, 24)
WITHIN_S = 10.0


def shown(app: Top) -> str:
    """What stands on the screen."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.ljust(width) for strip in strips[:height])


async def until(pilot: Pilot[int], holds: Callable[[str], bool]) -> str:
    """Wait until the screen is as it should be, and return it."""
    text = ""
    try:
        async with asyncio.timeout(WITHIN_S):
            while not holds(text):
                await pilot.pause(0.05)
                text = shown(pilot.app)  # type: ignore[arg-type]
    except TimeoutError:
        raise AssertionError(f"the screen is not as it should be:\n{text}") from None
    return text


def of(text: str, instance: str) -> str:
    """The row of an instance."""
    return next((line for line in text.splitlines() if line.strip().startswith(instance)), "")


def told(daemon: Client, instance: str) -> str:
    state: str = daemon.call("fleet.get", {"id": instance})["state"]
    return state


async def test_a_small_screen_shows_the_daemon_its_books_every_instance_and_rollouts(socket: Path) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        text = await until(pilot, lambda text: "USD" in of(text, FIRST) and "running" in text and "q Quit" in text)
        lines = text.splitlines()
        assert len(lines) == SMALL[1]
        assert "● running  sandbox" in lines[0]
        assert lines[1].startswith("paper, not real 0.40 USD")
        assert lines[2].startswith("live            nothing yet")
        assert "3 ready" in lines[3]
        assert "3 of 3 instances" in text
        assert all("ready" in of(text, instance) for instance in (FIRST, SECOND, THIRD))
        assert "q Quit" in lines[-1]
        await pilot.press("2")
        text = await until(pilot, lambda text: "rollout-0001" in text)
        assert "3/3 completed" in text


async def test_what_happens_is_seen_as_it_happens(socket: Path, daemon: Client) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, SECOND))
        await asyncio.to_thread(daemon.call, "fleet.pause", {"id": SECOND})
        text = await until(pilot, lambda text: "paused" in of(text, SECOND) and "instance.paused" in text)
        assert "1 paused" in text or "2 ready" in await until(pilot, lambda text: "1 paused" in text)
        await asyncio.to_thread(daemon.call, "fleet.resume", {"id": SECOND})
        await until(pilot, lambda text: "ready" in of(text, SECOND))


async def test_a_command_is_asked_about_and_no_is_no(socket: Path, daemon: Client) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, THIRD))
        await pilot.press("end", "p")
        await until(pilot, lambda text: f"Pause {THIRD}?" in text)
        await pilot.press("n")
        await until(pilot, lambda text: "Pause " + THIRD not in text)
        assert await asyncio.to_thread(told, daemon, THIRD) == "ready"
        await pilot.press("p")
        await until(pilot, lambda text: f"Pause {THIRD}?" in text)
        await pilot.press("y")
        await until(pilot, lambda text: "paused" in of(text, THIRD))
        assert await asyncio.to_thread(told, daemon, THIRD) == "paused"
        await pilot.press("c")
        await until(pilot, lambda text: f"Resume {THIRD}?" in text)
        await pilot.press("enter")
        await until(pilot, lambda text: "ready" in of(text, THIRD))


async def test_a_refusal_is_told_and_changes_nothing(socket: Path, daemon: Client) -> None:
    app = Top(socket)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, FIRST))
        await pilot.press("c")
        await until(pilot, lambda text: f"Resume {FIRST}?" in text)
        await pilot.press("y")
        await until(pilot, lambda text: f"{FIRST}: resume" in text or f"{FIRST} is ready" in text)
        assert await asyncio.to_thread(told, daemon, FIRST) == "ready"


async def test_words_states_and_streams_narrow_the_list_at_first_those_of_the_command_line(socket: Path) -> None:
    app = Top(socket, Selection(text="002"))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        text = await until(pilot, lambda text: "1 of 3" in text)
        assert of(text, SECOND)
        await pilot.press("slash", "backspace", "3", "enter")
        text = await until(pilot, lambda text: of(text, THIRD) != "" and not of(text, SECOND))
        assert not of(text, FIRST)
        await pilot.press("escape", "s")
        await until(pilot, lambda text: "state ready" in text and "3 of 3" in text)
        await pilot.press("s", "t")
        await until(pilot, lambda text: "state all" in text and "stream api_services" in text)
        await pilot.press("escape")
        await until(pilot, lambda text: "stream all" in text)


async def test_the_order_follows_the_keys(socket: Path) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda text: "USD" in of(text, FIRST))
        table = app.query_one("#fleet", VirtualTable)
        await pilot.press("O")
        text = await until(pilot, lambda text: "instance ▼" in text)
        assert [row.id for row in table.rows] == [THIRD, SECOND, FIRST]
        assert text.index(THIRD) < text.index(FIRST)
        await pilot.press("o", "o")
        await until(pilot, lambda text: "net ▼" in text)
        assert table.rows[0].id == FIRST


async def test_an_instance_has_its_funnel_settings_bookings_and_log(socket: Path) -> None:
    app = Top(socket)
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, FIRST))
        await pilot.press("enter")
        text = await until(pilot, lambda text: "Funnel" in text)
        assert f"{FIRST}  ● ready" in text
        assert "address       http://127.0.0.1:" in text
        await pilot.press("2")
        await until(pilot, lambda text: "title" in text)
        await pilot.press("3")
        text = await until(pilot, lambda text: "0.002 USD" in text)
        assert "paper" in text
        await pilot.press("right")
        await until(pilot, lambda text: "instance.ready" in text)
        await pilot.press("r")
        await until(pilot, lambda text: f"Restart {FIRST}?" in text)
        await pilot.press("y")
        await until(pilot, lambda text: "instance.restarted" in text)
        await pilot.press("escape")
        await until(pilot, lambda text: "3 of 3" in text)
        assert not isinstance(app.screen, InstanceScreen)


async def test_help_lists_every_key_that_does_something(socket: Path) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda text: "restart, with a fresh restart budget" in text)
        words = " ".join(f"{key} {meaning}" for _, keys in _help() for key, meaning in keys)
        for binding in app.BINDINGS:
            display = getattr(binding, "key_display", None) or getattr(binding, "key", "").split(",")[0]
            if display not in ("escape", "ctrl+z"):
                assert display in words, display
        await pilot.press("escape")
        await until(pilot, lambda text: "fresh restart budget" not in text)


def _help() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    from orchestrator.access.top.dialogues import HELP

    return HELP


async def test_a_daemon_that_is_gone_is_said_to_be_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LONGEST_DELAY_S", 0.2)
    configure(tmp_path, streams={"api_services": {"count": 1}})
    process = await asyncio.to_thread(start, tmp_path, "run")
    try:
        await asyncio.to_thread(wait_until_up, tmp_path, process)
        app = Top(tmp_path / "run" / "control.sock")
        async with app.run_test(size=(100, 24), notifications=True) as pilot:
            await until(pilot, lambda text: "ready" in of(text, FIRST))
            process.kill()
            await asyncio.to_thread(process.communicate)
            text = await until(pilot, lambda text: "OFFLINE" in text)
            assert "1 of 1" in text  # what was known stays
            await pilot.press("r")
            await until(pilot, lambda text: "no daemon to ask" in text)
            process = await asyncio.to_thread(start, tmp_path, "run")
            await until(pilot, lambda text: "● running" in text and "OFFLINE" not in text)
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate)


async def test_colours_are_the_terminals_own(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORFGBG", "0;15")
    app = Top(socket)
    assert app.theme == "ansi-light"
    monkeypatch.setenv("COLORFGBG", "15;0")
    app = Top(socket)
    assert app.theme == "ansi-dark"
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, FIRST))
        colours = {
            segment.style.bgcolor.name
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None and segment.style.bgcolor is not None
        }
        assert not any(name.startswith("#") for name in colours), colours


async def test_the_log_of_activity_is_bounded(socket: Path) -> None:
    app = Top(socket)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda text: "ready" in of(text, FIRST))
        event = {"event": "health.alert", "timestamp": "2026-01-01T00:00:00Z", "reason": "\x1b[2J"}
        for _ in range(8):
            app._told([event] * 5000)
        await until(pilot, lambda text: "health.alert" in text)
        log = app.query_one("#activity", RichLog)
        assert len(log.lines) <= 500
        assert "\x1b" not in "".join(strip.text for strip in log.lines)
        assert app.query_one("#selection", Static)


_SVG = os.environ.get("AUTOMATE_TOP_SVG")


@pytest.mark.skipif(_SVG is None, reason="AUTOMATE_TOP_SVG names no file to draw to")
async def test_the_picture_of_the_documentation(tmp_path: Path) -> None:
    """Draws docs/top.svg: AUTOMATE_TOP_SVG=docs/top.svg AUTOMATE_HOME=<that of a fleet with chaos>."""
    assert _SVG is not None
    app = Top(Path(os.environ["AUTOMATE_HOME"]) / "run" / "control.sock")
    async with app.run_test(size=(112, 36)) as pilot:
        await until(pilot, lambda text: "USD" in of(text, FIRST))
        await asyncio.sleep(4)
        await asyncio.to_thread(subprocess.run, [*COMMAND, "chaos", "crash", FIRST], check=True)
        await until(pilot, lambda text: "instance.restarted" in text)
        await pilot.press("down", "down")
        await asyncio.sleep(2)
        file = tmp_path / "top.svg"
        file.write_text(app.export_screenshot(title="automate top"))
        shutil.copy(file, _SVG)
