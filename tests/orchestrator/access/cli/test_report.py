from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.money.store import Store
from tests.orchestrator.access.cli.conftest import Automate
from tests.orchestrator.money.bookings import api_call, usd, write


@pytest.fixture
def resting(tmp_path: Path) -> Path:
    """A home in which no daemon runs, with something earned and spent."""
    (tmp_path / "state").mkdir()
    store = Store(tmp_path / "state" / "ledger.sqlite3")
    store.open()
    cost = (usd("cost:cpu:api_services:api_services-001", 500_000), usd("asset:a", -500_000))
    now = datetime.now(UTC)
    write(
        store,
        api_call(1, units=2_500_000, occurred_at=now),
        api_call(2, postings=cost, occurred_at=now),
        api_call(3, units=9_000_000, book="live"),
    )
    store.close()
    return tmp_path


def test_without_a_daemon_it_is_made_of_the_ledger(automate: Automate, resting: Path) -> None:
    told = automate("report", home=resting)
    assert told.status == 0
    assert "no daemon runs" in told.err
    fields = dict(line.split("  ", 1) for line in told.out.split("\n\n")[0].splitlines())
    told_of = {name.strip(): value.strip() for name, value in fields.items()}
    assert told_of["book"] == "paper"
    assert told_of["revenue"] == "2.50 USD"
    assert told_of["net"] == "2.00 USD, 4.0000 for each spent"
    assert told_of["instances"] == "0 active of 1"
    stream = told.out.split("\n\n")[1].splitlines()[1].split()
    assert stream == ["api_services", "1", "2.50", "0.50", "2.00", "0.00", "4.0000", "USD"]


def test_files_are_written_for_the_owner_alone(automate: Automate, resting: Path) -> None:
    told = automate("report", "--open-path", home=resting)
    page = resting / "reports" / "revenue_analytics_report.html"
    assert told.out == f"{page}\n"
    document = page.with_suffix(".json")
    for file in (page, document):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(document.read_text())["summary"]["total_revenue"] == "2.50"
    assert page.read_text().startswith("<!doctype html>")
    assert {file.name for file in page.parent.iterdir()} == {page.name, document.name}


def test_the_configuration_says_what_stands_at_the_top(automate: Automate, resting: Path) -> None:
    (resting / "config").mkdir()
    file = resting / "config" / "fleet_config.json"
    file.write_text('{"mode": "live", "report": {"daily_target": "10"}}')
    document = automate("report", "--json", home=resting).document
    assert (document["summary"]["book"], document["summary"]["total_revenue"]) == ("live", "9.00")
    assert document["summary"]["daily_target"]["amount"] == "10.00"
    file.write_text('{"report": {"asset": "XYZ"}}')
    told = automate("report", home=resting)
    assert told.status == 78
    assert "no asset 'XYZ' is declared" in told.err


def test_a_daemon_makes_it_with_its_fleet(automate: Automate, home: Path) -> None:
    document = automate("report", "--json", home=home).document
    assert document["summary"]["active_instances"] >= 1
    assert document["summary"]["total_instances"] >= 2
    states = {each["instance"]: each["state"] for each in document["instance_breakdown"]}
    assert states["api_services-002"] == "ready"
    assert document["funnel_instances"] >= 1
    assert json.loads((home / "reports" / "revenue_analytics_report.json").read_text()).keys() == document.keys()
    told = automate("report", home=home)
    assert "active of" in told.out
    assert str(home / "reports" / "revenue_analytics_report.html") in told.err


def test_where_there_is_nothing_to_report_of_it_is_said(automate: Automate, tmp_path: Path) -> None:
    assert automate("report", home=tmp_path).status == 69
