"""Rollouts on the command line: seen, waited for, promoted and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate

QUICK = '{"rollouts": {"window_s": 0.3, "interval_s": 0.1}}'
USUAL = '{"rollouts": {"window_s": 60, "interval_s": 5}, "streams": {"api_services": {"settings": {"title": null}}}}'


@pytest.fixture(autouse=True)
def _quick(automate: Automate, home: Path) -> Iterator[None]:
    assert automate("config", "set", "fleet", QUICK, home=home).status == 0
    yield
    assert automate("config", "set", "fleet", USUAL, home=home).status == 0


def title(automate: Automate, home: Path, instance: str) -> object:
    return automate("fleet", "get", instance, "--json", home=home).document["settings"]["title"]


def test_a_canary_without_data_asks_for_a_person_and_is_taken_back(automate: Automate, home: Path) -> None:
    before = title(automate, home, "api_services-001")
    told = automate("fleet", "configure", "api_services", '{"title": "Paperline"}', home=home)
    assert told.status == 1
    first, reason = told.out.splitlines()
    rollout = first.split()[0]
    assert first == f"{rollout} of api_services paused: 1 of 2 done, batch 1 of 2 watching"
    assert reason.startswith("  no data: 0 requests")
    assert f"automate rollout promote {rollout}" in told.err
    assert title(automate, home, "api_services-001") == "Paperline"

    heading, row, *_ = automate("rollout", "list", home=home).out.splitlines()
    assert heading.split() == ["rollout", "stream", "strategy", "state", "stage", "done", "reason"]
    assert row.split()[:6] == [rollout, "api_services", "canary", "paused", "1/2", "1/2"]
    assert automate("rollout", "list", "-n", "1", "--json", home=home).lines[0]["id"] == rollout
    shown = automate("rollout", "status", rollout, home=home).out
    assert "wager on worse" in shown
    assert "unready" in shown

    refused = automate("fleet", "configure", "api_services", '{"title": "Other"}', home=home)
    assert refused.status != 0
    assert f"{rollout} of api_services has not ended" in refused.err
    aborted = automate("rollout", "abort", rollout, home=home)
    assert (aborted.status, aborted.out.split()[:3]) == (0, [rollout, "of", "api_services"])
    ended = automate("rollout", "watch", rollout, home=home)
    assert ended.status == 1
    assert ended.out.startswith(f"{rollout} of api_services aborted: 0 of 2 done\n")
    assert title(automate, home, "api_services-001") == before
    assert automate("rollout", "promote", rollout, home=home).status != 0


def test_one_that_is_promoted_goes_on_to_its_end(automate: Automate, home: Path) -> None:
    told = automate("fleet", "configure", "api_services", '{"title": "Paperline"}', "--no-wait", home=home)
    rollout = told.out.strip()
    told = automate("rollout", "status", rollout, "--json", home=home)
    while told.document["state"] != "paused":
        told = automate("rollout", "status", rollout, "--json", home=home)
    promoted = automate("rollout", "promote", rollout, "--json", home=home)
    assert (promoted.status, promoted.document["stage"]) == (0, 2)
    assert automate("rollout", "watch", rollout, home=home).status == 0
    assert [title(automate, home, f"api_services-00{number}") for number in (1, 2)] == ["Paperline"] * 2


def test_settings_that_are_no_json_or_not_the_streams_change_nothing(automate: Automate, home: Path) -> None:
    assert automate("fleet", "configure", "api_services", "title", home=home).status == 64
    told = automate("fleet", "configure", "api_services", '{"tittle": "x"}', home=home)
    assert told.status != 0
    assert "tittle" in told.err
    assert automate("rollout", "status", "rollout-9999", home=home).status == 66
