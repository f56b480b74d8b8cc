"""Configuration files as people drop them in: the founding project's, wrong ones, and edits while it runs."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.access.client import RpcFailure
from tests.config.conftest import FOUNDING
from tests.end_to_end.daemon_process import COMMAND, ROOT, DaemonProcess

if TYPE_CHECKING:
    from tests.end_to_end.conftest import MakeDaemon

FIRST: Final = "api_services-001"


def files_of(home: Path) -> dict[str, bytes]:
    """Return every file below a home's configuration directory."""
    config = home / "config"
    return {str(file.relative_to(config)): file.read_bytes() for file in config.rglob("*") if file.is_file()}


def test_the_founding_files_load_unchanged_and_are_in_force(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1)
    founding = FOUNDING | {"recovery": FOUNDING["recovery"] | {"max_retries": 1, "retry_delay": 3600}}
    for section, document in founding.items():
        daemon.configure(section, document)
    before = files_of(daemon.home)
    daemon.start()
    after = files_of(daemon.home)
    for section, document in founding.items():
        name = f"{section}_config.json"
        assert after[name] == before[name]
        assert (
            document.items() <= daemon.call("config.get", {"section": section}).items()
            if isinstance(document, dict)
            else daemon.call("config.get", {"section": section}) == document
        )

    with daemon.watch("instance.*") as watch:
        daemon.call("chaos.crash", {"id": FIRST})
        watch.until("instance.restarted", instance=FIRST)
        daemon.call("chaos.crash", {"id": FIRST})
        assert len(watch.until("instance.failed", instance=FIRST)["history"]) == 2
    assert daemon.state(FIRST) == "failed"


def test_restarts_can_be_switched_off(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1)
    daemon.configure("unified_dashboard", FOUNDING["unified_dashboard"] | {"auto_restart": False})
    daemon.start()
    with daemon.watch("instance.*") as watch:
        daemon.call("chaos.crash", {"id": FIRST})
        watch.until("instance.failed", instance=FIRST)
    assert daemon.state(FIRST) in ("failed", "stopped")
    assert daemon.call("fleet.restart", {"id": FIRST})["state"] == "ready"


@pytest.mark.parametrize(
    ("section", "content", "says"),
    [
        ("recovery", '{"max_retries": "three"}', ["$.max_retries", "int", '"three"']),
        ("recovery", '{"max_retry": 3}', ["$.max_retry", "known key", 'nearest known: "max_retries"']),
        ("fleet", '{"mode": "sandbox",', ["line 1, column 20", "end of the file"]),
        ("fleet", '{"streams": {"api_services": {"count": -1}}}', ["$.streams.api_services.count", "0", "-1"]),
        ("agent_workflows", '{"name": "x"}', ["$: expected a list", "found the object"]),
    ],
)
def test_a_wrong_file_ends_it_with_78_and_nothing_is_overwritten(
    make_daemon: MakeDaemon, section: str, content: str, says: list[str]
) -> None:
    daemon = make_daemon(instances=1)
    file = daemon.home / "config" / f"{section}_config.json"
    file.write_text(content)
    before = files_of(daemon.home)
    ended = subprocess.run(
        [*COMMAND, str(daemon.home)], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False
    )
    assert ended.returncode == 78, ended
    assert str(file) in ended.stderr
    for words in says:
        assert words in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr
    assert files_of(daemon.home) == before


@pytest.mark.parametrize("by", ["SIGHUP", "system.reload"])
def test_a_broken_edit_changes_nothing_and_is_told_of_and_a_good_one_comes_into_force(
    make_daemon: MakeDaemon, by: str
) -> None:
    daemon = make_daemon(instances=1).start()
    file = daemon.home / "config" / "fleet_config.json"
    good = json.loads(file.read_text())

    def reload() -> str:
        """Reload, and return what is said about it; empty where it went well."""
        refusal = ""
        with daemon.watch("config.*") as watch:
            if by == "SIGHUP":
                daemon.signal(signal.SIGHUP)
            else:
                try:
                    daemon.call("system.reload")
                except RpcFailure as error:
                    refusal = error.message
            told = watch.next()
        assert told["event"] in ("config.reloaded", "config.reload_failed")
        reason: str = told.get("reason", "")
        assert by == "SIGHUP" or refusal == reason
        return reason

    for content, says in (
        ('{"chaos": "yes"}', "$.chaos"),
        ('{"chaso": false}', "chaos"),
        ('{"chaos": false', "line 1, column 16"),
    ):
        file.write_text(content)
        said = reload()
        assert str(file) in said
        assert says in said
        assert file.read_text() == content
        assert daemon.call("config.get", {"section": "fleet"})["chaos"] is True
        assert daemon.call("system.status")["state"] == "running"
        # What a person asks for meanwhile is refused with the same words, and does no harm.
        with pytest.raises(RpcFailure, match="fleet_config.json"):
            daemon.call("fleet.scale", {"stream": "api_services", "to": 2})
    assert daemon.logged("service.crashed") == []

    file.write_text(json.dumps(good | {"chaos": False}))
    assert reload() == ""
    assert daemon.call("config.get", {"section": "fleet"})["chaos"] is False
    with pytest.raises(RpcFailure, match="chaos is off"):
        daemon.call("chaos.crash", {"id": FIRST})


def test_a_first_start_makes_all_files_and_a_second_changes_none(make_daemon: MakeDaemon) -> None:
    daemon = make_daemon(instances=1).start()
    first = files_of(daemon.home)
    assert {name for name in first if not name.startswith("backups/")} == {
        f"{section}_config.json" for section in (*FOUNDING, "fleet")
    }
    daemon.restart()
    assert files_of(daemon.home) == first


def test_secrets_are_not_read_by_others(make_daemon: MakeDaemon) -> None:
    daemon: DaemonProcess = make_daemon(instances=1).start()
    daemon.key(FIRST)
    (daemon.home / "config" / "fleet_config.json").chmod(0o600)  # this test's own file, which stays as it was written
    open_to_others = [
        str(path.relative_to(daemon.home))
        for path in daemon.home.rglob("*")
        if path.stat().st_mode & 0o007 or (path.is_file() and path.stat().st_mode & 0o070)
    ]
    assert open_to_others == []
