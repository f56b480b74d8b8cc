"""The way into the gateway, as a user has it: the address, the token, and what they open."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.orchestrator.access.cli.conftest import Automate


def test_the_status_prints_the_address_and_the_token_opens_it(automate: Automate, home: Path) -> None:
    told = automate("status", home=home)
    (line,) = [line for line in told.out.splitlines() if line.startswith("gateway")]
    url = line.split()[1]
    port = json.loads((home / "config" / "fleet_config.json").read_text())["port_base"]
    assert url == f"http://127.0.0.1:{port}"
    assert "automate token" in line
    token = automate("token", home=home).out.strip()
    assert token == (home / "state" / "secrets" / "gateway_token").read_text().strip()
    request = urllib.request.Request(f"{url}/api/v1/system/status", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        status = json.load(answer)
    assert status["gateway"] == {"url": url, "listening": True, "detail": ""}
    assert status["services"]["up"] == status["services"]["total"]
    assert token not in (home / "log" / "automate.jsonl").read_text()


def test_open_prints_the_address_and_opens_it_where_it_can(
    automate: Automate, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or False)
    printed = automate("open", "--print", home=home)
    assert printed.out.startswith("http://127.0.0.1:")
    assert opened == []
    told = automate("open", home=home)
    assert (told.status, opened) == (0, [printed.out.strip()])
    assert "no browser could be opened" in told.err


def test_without_a_daemon_there_is_nothing_to_open_and_no_token(automate: Automate, tmp_path: Path) -> None:
    assert automate("open", home=tmp_path).status == 69
    told = automate("token", home=tmp_path)
    assert told.status == 69
    assert "the daemon makes it" in told.err
