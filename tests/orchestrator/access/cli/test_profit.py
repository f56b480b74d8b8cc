"""`automate profit`: what a daemon would decide, has decided, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate, configure, start, wait_until_up


@pytest.fixture(scope="module")
def quick_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose daemon decides twice a second."""
    home = tmp_path_factory.mktemp("quick")
    configure(
        home,
        gateway_enabled=False,
        profit={"interval_s": 0.5},
        streams={"api_services": {"count": 2}, "affiliate_marketing": {"count": 1}},
    )
    with (home / "stderr").open("w") as log:
        process = start(home, "run", stdout=log, stderr=log)
        try:
            wait_until_up(home, process)
            yield home
        finally:
            process.terminate()
            assert process.wait(40) == 0


def test_a_plan_shows_streams_instances_and_the_reason(automate: Automate, quick_home: Path) -> None:
    told = automate("profit", "plan", home=quick_home)
    assert told.status == 0
    assert "Too little evidence" in told.out
    assert "api_services-002" in told.out
    short = automate("profit", "plan", "--stream", "api_services", "-n", 1, home=quick_home)
    assert "api_services-001" in short.out
    assert "api_services-002" not in short.out
    assert "there are more" in short.err
    document = automate("profit", "plan", "--json", home=quick_home).document
    assert [part["instance"] for part in document["items"]] == [
        "affiliate_marketing-001",
        "api_services-001",
        "api_services-002",
    ]
    assert document["decision"]["applied"] is False


def test_decisions_are_shown_the_newest_last_and_as_lines_the_newest_first(
    automate: Automate, quick_home: Path
) -> None:
    while len(lines := automate("profit", "history", "-n", 3, "--json", home=quick_home).lines) < 3:
        pass
    assert [each["id"] for each in lines] == list(range(lines[0]["id"], lines[0]["id"] - 3, -1))
    table = automate("profit", "history", "-n", 3, home=quick_home)
    assert table.status == 0
    assert "prior" in table.out


def test_a_run_decides_at_once(automate: Automate, quick_home: Path) -> None:
    decision = automate("profit", "run", "--json", home=quick_home).document
    assert (decision["by"], decision["applied"]) == ("hand", True)
    assert "instances share 64 slots" in automate("profit", "run", home=quick_home).out


def test_a_share_is_explained_in_words(automate: Automate, quick_home: Path) -> None:
    told = automate("profit", "explain", "api_services-001", home=quick_home)
    assert told.status == 0
    assert "multiplier" in told.out
    document = automate("profit", "explain", "api_services-001", "--json", home=quick_home).document
    assert document["instance"]["instance"] == "api_services-001"
    missing = automate("profit", "explain", "no_such-001", home=quick_home)
    assert missing.status != 0
    assert "no such instance" in missing.err
