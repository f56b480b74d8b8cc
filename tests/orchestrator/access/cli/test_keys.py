from __future__ import annotations

import json
import shlex
import urllib.request
from pathlib import Path

from tests.orchestrator.access.cli.conftest import Automate

INSTANCE = "api_services-001"


def test_the_key_alone_is_on_standard_output(automate: Automate, home: Path) -> None:
    told = automate("keys", "create", INSTANCE, home=home)
    assert told.status == 0
    assert told.out.startswith("ak_test_")
    assert len(told.out.split()) == 1
    assert "only time" in told.err


def test_the_line_that_tries_it_is_a_paid_call(automate: Automate, home: Path) -> None:
    told = automate("keys", "create", INSTANCE, home=home)
    line = shlex.split(told.err.splitlines()[-1])
    assert line[0] == "curl"
    headers = dict(line[place + 1].split(": ", 1) for place, word in enumerate(line) if word == "-H")
    assert headers["Authorization"] == f"Bearer {told.out.strip()}"
    request = urllib.request.Request(line[-1], data=line[line.index("-d") + 1].encode(), headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
        assert answer.headers["X-Receipt"].startswith("tx_")
        assert json.load(answer)
    last = automate("ledger", "entries", "--limit", "1", "--json", home=home).lines
    assert last[0]["id"] == answer.headers["X-Receipt"]


def test_terms_are_kept_and_listed(automate: Automate, home: Path) -> None:
    terms = ["--quota", "500", "--rate", "2.5", "--credit", "5.00", "--plan", "trial", "--label", "Ada\x1b[2J"]
    made = automate("keys", "create", INSTANCE, *terms, "--json", home=home).document
    assert made.keys() == {"id", "key"}
    listed = {key["id"]: key for key in automate("keys", "list", INSTANCE, "--json", home=home).lines}
    key = listed[made["id"]]
    assert (key["quota"], key["rate_per_s"], key["credit"], key["plan"]) == (500, 2.5, "5.00", "trial")
    table = automate("keys", "list", INSTANCE, home=home).out
    assert made["key"] not in table
    assert "5.00 USD" in table
    assert "\x1b" not in table


def test_a_revoked_key_is_shown_as_such(automate: Automate, home: Path) -> None:
    made = automate("keys", "create", INSTANCE, "--json", home=home).document
    assert automate("keys", "revoke", INSTANCE, made["id"], home=home).status == 0
    listed = automate("keys", "list", INSTANCE, "--json", home=home).lines
    assert [key["revoked_at"] is not None for key in listed if key["id"] == made["id"]] == [True]


def test_refusals_say_why(automate: Automate, home: Path) -> None:
    assert automate("keys", "create", "nobody", home=home).status == 66
    plan = automate("keys", "create", INSTANCE, "--plan", "gold", home=home)
    assert plan.status == 64
    assert "gold" in plan.err
    assert automate("keys", "create", INSTANCE, "--quota", "-1", home=home).status == 64


def test_an_instance_without_keys_says_how_to_make_one(automate: Automate, home: Path) -> None:
    told = automate("keys", "list", "api_services-002", home=home)
    assert (told.status, told.out) == (0, "")
    assert "automate keys create api_services-002" in told.err
