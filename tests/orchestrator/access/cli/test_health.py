"""`automate health` and `automate doctor` against a daemon, and `doctor` without one."""

from __future__ import annotations

from pathlib import Path

from tests.orchestrator.access.cli.conftest import Automate, configure


def test_health_shows_every_service_and_instance(automate: Automate, home: Path) -> None:
    report = automate("health", "--json", home=home)
    assert report.status == 0
    assert {row["name"] for row in report.document["items"]} == {"api_services-001", "api_services-002"}
    assert {"ledger", "deployment_manager", "control", "health_monitor"} <= {
        row["name"] for row in report.document["services"]
    }
    told = automate("health", "--all", home=home)
    assert "api_services-002" in told.out
    assert "each is looked at every 30 s" in told.out
    assert automate("health", "--check", home=home).status == 0


def test_health_of_one_tells_of_that_one(automate: Automate, home: Path) -> None:
    told = automate("health", "ledger", home=home)
    assert told.status == 0
    assert "ledger" in told.out
    assert "api_services-001" not in told.out
    assert automate("health", "nobody-001", home=home).status == 64


def test_the_doctor_finds_a_daemon_that_is_well(automate: Automate, home: Path) -> None:
    told = automate("doctor", "--json", home=home)
    problems = [finding for finding in told.document["findings"] if finding["level"] == "problem"]
    assert problems == []
    assert told.status == 0
    checks = {finding["check"]: finding for finding in told.document["findings"]}
    assert checks["daemon"]["what"].startswith("it is running, pid ")
    assert checks["ledger"]["what"].endswith("chain, balances and evidence are right")


def test_the_doctor_works_without_a_daemon_and_ends_with_1_where_something_is_wrong(
    automate: Automate, tmp_path: Path
) -> None:
    file = configure(tmp_path / "home")
    file.parent.chmod(0o700)
    (tmp_path / "home").chmod(0o700)
    assert automate("doctor", home=tmp_path / "home").status == 0
    file.write_text('{"mode": "both"}')
    told = automate("doctor", home=tmp_path / "home")
    assert told.status == 1
    assert "PROBLEM  configuration" in told.out
    assert "→ mend the file" in told.out
    assert told.out.endswith("1 problem\n")
    assert not (tmp_path / "home" / "state").exists()
