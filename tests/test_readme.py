"""Every command and every program in README.md runs, as a newcomer would run it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from actors import ActorSystem, Supervisor
from config.fleet import Fleet, StreamPlan
from orchestrator.events import EventBus
from orchestrator.fleet.checkpoints import Checkpoints
from orchestrator.fleet.deployment_manager import DeploymentManager
from orchestrator.fleet.instance import Surroundings
from orchestrator.fleet.neighbours import Directory
from orchestrator.money.ledger import Ledger
from orchestrator.money.messages import ReadTotals
from streams.catalog import GROUP, Catalog
from streams.commons import Commons
from streams.far_sides import FarSides

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SCRIPT = "./AUTOMATE_EVERYTHING.sh"
PATIENCE_S = 45


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


COMMANDS = [block for block in blocks("sh") if SCRIPT not in block]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    venv = Path(sys.executable).parent
    return {
        "AUTOMATE_HOME": str(home / "automate"),
        "HOME": str(home),
        "PATH": f"{venv}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "CI": "true",
    }


@pytest.fixture(scope="module")
def daemon(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The README's first command, as it stands, but for the installation that the test's own environment is."""
    assert f"{SCRIPT} " in README
    process = subprocess.Popen(["automate", "run"], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while _status(environment) != b"100":
            assert process.poll() is None, "the daemon has ended"
            assert time.monotonic() < until, "the fleet did not come up"
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)


def _status(environment: dict[str, str]) -> bytes:
    """Return how many instances are active."""
    asked = subprocess.run(["automate", "status", "--json"], env=environment, capture_output=True, check=False)
    found = re.search(rb'"active": ?(\d+)', asked.stdout)
    return found.group(1) if found else b""


def test_the_readme_begins_with_the_two_commands() -> None:
    first = blocks("sh")[0]
    assert first.startswith(f"{SCRIPT} ")
    assert f"{SCRIPT} check" in first


def test_the_tour_runs_from_top_to_bottom(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    for program in ("socat", "curl", "jq"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    tour = "\n".join(COMMANDS)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", tour],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert '"valid":true' in ran.stdout
    assert "x-receipt: tx_" in ran.stdout
    assert '"pong":true' in ran.stdout
    assert '"merchant"' in ran.stdout
    assert "<rss" in ran.stdout


def test_a_ccxt_client_places_and_cancels_an_order(
    daemon: subprocess.Popen[bytes], environment: dict[str, str]
) -> None:
    (program,) = [block for block in blocks("python") if "import ccxt" in block]
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.returncode) == ("canceled\n", 0), ran.stderr[-2000:]


def test_ctrl_c_ends_it_with_status_0(daemon: subprocess.Popen[bytes], environment: dict[str, str]) -> None:
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(PATIENCE_S) == 0
    log = (Path(environment["AUTOMATE_HOME"]) / "log" / "automate.jsonl").read_text()
    assert log.rstrip().splitlines()[-1].count("daemon.stopped") == 1


def test_the_program_of_the_kernel_prints_what_was_deposited() -> None:
    (program,) = [block for block in blocks("python") if "class Account" in block]
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr) == ("5\n", "")


@pytest.fixture
def statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (program,) = [block for block in blocks("python") if "class Statements" in block]
    (tmp_path / "statements.py").write_text(program)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "statements", raising=False)
    import statements  # type: ignore[import-not-found]

    module: ModuleType = statements
    return module


async def test_the_stream_of_your_own_books_a_file_once(statements: ModuleType, tmp_path: Path) -> None:
    (entry_point,) = blocks("toml")
    name, value = re.findall(r'^(\w+) = "([\w:]+)"$', entry_point, re.MULTILINE)[0]
    fleet = Fleet(port_base=7900, streams={name: StreamPlan(count=1)})

    async def keep_count(stream: str, count: int, by: str) -> None:
        raise AssertionError

    for directory in ("instances", "checkpoints"):
        (tmp_path / directory).mkdir()
    booked = asyncio.Queue[str]()
    async with ActorSystem() as system:
        ledger = await system.spawn(
            lambda: Ledger(
                tmp_path / "ledger.sqlite3",
                tmp_path / "instances",
                lambda group: [booked.put_nowait(receipt.id) for _, receipt in group],
            ),
            "ledger",
        )
        instances = await system.spawn(lambda: Supervisor(ordered=False), "instances")
        around = Surroundings(
            instances=tmp_path / "instances",
            checkpoints=Checkpoints(tmp_path / "checkpoints"),
            host="127.0.0.1",
            book="paper",
            ledger=ledger,
            events=EventBus(),
            http=lambda: None,  # type: ignore[arg-type, return-value]
            secret=lambda key: None,
            commons=Commons(await system.spawn(Supervisor, "commons")),
            far_sides=FarSides(),
            directory=Directory(),
        )
        catalog = Catalog({name: EntryPoint(name, value, GROUP)})
        await system.spawn(
            lambda: DeploymentManager(catalog, lambda: fleet, keep_count, instances, around, around.events),
            "deployment_manager",
        )
        inbox = tmp_path / "instances" / "statements-001" / "inbox"
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(inbox.exists):
                await asyncio.sleep(0.01)
            for copy in ("one.txt", "the same again.txt"):
                await asyncio.to_thread((inbox / copy).write_text, "12.30\n")
            await booked.get()
            while await asyncio.to_thread(lambda: list(inbox.iterdir())):
                await asyncio.sleep(0.01)
        totals = await ledger.ask(ReadTotals("paper"), 5)
        assert [(item.kind, item.amount, item.asset) for item in totals.items] == [("income", "12.30", "USD")]
