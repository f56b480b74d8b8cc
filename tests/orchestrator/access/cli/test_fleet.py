from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from orchestrator.access.cli.arguments import named_arguments
from tests.orchestrator.access.cli.conftest import Automate

FIRST, SECOND = "api_services-001", "api_services-002"


def instance(automate: Automate, home: Path, name: str) -> Any:
    return automate("fleet", "get", name, "--json", home=home).document


def test_the_list_is_a_table_for_people_and_an_object_a_line_for_programs(automate: Automate, home: Path) -> None:
    heading, *rows = automate("fleet", "list", home=home).out.splitlines()
    assert heading.split() == ["instance", "stream", "state", "address", "restarts", "last", "failure"]
    assert [row.split()[0] for row in rows] == [FIRST, SECOND]
    lines = automate("fleet", "list", "--json", home=home).lines
    assert [line["id"] for line in lines] == [FIRST, SECOND]
    assert lines[0].keys() >= {"stream", "state", "host", "port", "restarts", "last_failure"}


def test_the_list_can_be_narrowed(automate: Automate, home: Path) -> None:
    assert len(automate("fleet", "list", "--state", "ready", "--json", home=home).lines) == 2
    none = automate("fleet", "list", "--state", "paused", home=home)
    assert (none.status, none.out, none.err) == (0, "", "no such instances\n")
    assert automate("fleet", "list", "--stream", "other", "--json", home=home).out == ""


def test_standbys_are_shown_apart_and_counted_besides_the_fleet(automate: Automate, home: Path) -> None:
    names = [f"standby-{number:03d}" for number in range(1, 6)]
    assert [line["id"] for line in automate("fleet", "list", "--state", "standby", "--json", home=home).lines] == names
    told = automate("fleet", "standbys", home=home)
    assert [row.split()[:2] for row in told.out.splitlines()[1:]] == [[name, "standby"] for name in names]
    assert told.err == "5 of 5 are ready to take over\n"
    assert automate("fleet", "standbys", "--json", home=home).document["ready"] == 5
    shown = automate("fleet", "get", names[0], home=home).out
    assert "waits for an instance that fails" in shown
    assert "http://" not in shown
    refused = automate("fleet", "stop", names[0], home=home)
    assert refused.status != 0
    assert "is a standby" in refused.err
    assert "2 ready, 5 standby" in automate("status", home=home).out


def test_get_shows_all_of_an_instance(automate: Automate, home: Path) -> None:
    view = instance(automate, home, FIRST)
    assert view["id"] == FIRST
    assert view["directory"] == f"{home}/instances/{FIRST}"
    shown = automate("fleet", "get", FIRST, home=home).out
    assert f"http://{view['host']}:{view['port']}" in shown
    assert view["settings"]["title"] in shown


def test_an_instance_that_is_not_there_ends_with_66(automate: Automate, home: Path) -> None:
    told = automate("fleet", "get", "api_services-999", home=home)
    assert told.status == 66
    assert "api_services-999" in told.err


def test_commands_take_several_instances_and_tell_their_new_state(automate: Automate, home: Path) -> None:
    told = automate("fleet", "stop", FIRST, SECOND, home=home)
    assert (told.status, told.out) == (0, f"{FIRST} is stopped\n{SECOND} is stopped\n")
    refused = automate("fleet", "pause", FIRST, home=home)
    assert refused.status == 1
    assert "start it first" in refused.err
    started = automate("fleet", "start", FIRST, SECOND, "--json", home=home)
    assert [line["state"] for line in started.lines] == ["ready", "ready"]
    assert automate("fleet", "pause", FIRST, home=home).out == f"{FIRST} is paused\n"
    assert automate("fleet", "resume", FIRST, home=home).out == f"{FIRST} is ready\n"
    assert automate("fleet", "restart", FIRST, home=home).out == f"{FIRST} is ready\n"


def test_the_first_instance_that_fails_ends_a_command(automate: Automate, home: Path) -> None:
    told = automate("fleet", "restart", "nobody", FIRST, home=home)
    assert (told.status, told.out) == (66, "")


def test_scaling_waits_for_its_end(automate: Automate, home: Path) -> None:
    up = automate("scale", "api_services", "3", "--json", home=home)
    try:
        assert up.status == 0
        assert (up.document["state"], up.document["done"]) == ("completed", 1)
        assert instance(automate, home, "api_services-003")["state"] == "ready"
    finally:
        down = automate("scale", "api_services", "2", home=home)
    assert down.status == 0
    assert down.out.endswith("of api_services completed: 1 of 1 done\n")
    assert automate("fleet", "get", "api_services-003", home=home).status == 66


def test_deploying_without_waiting_gives_a_rollout_to_ask_for(automate: Automate, home: Path) -> None:
    told = automate("fleet", "deploy", "api_services", "1", "--no-wait", "--settings", '{"title": "Ours"}', home=home)
    try:
        rollout = told.out.strip()
        assert rollout.startswith("rollout-")
        watched = automate("rollout", "status", rollout, "--watch", home=home)
        assert watched.status == 0
        assert watched.out == f"{rollout} of api_services completed: 1 of 1 done\n"
        assert automate("rollout", "status", rollout, "--json", home=home).document["total"] == 1
        assert instance(automate, home, "api_services-003")["state"] == "ready"
    finally:
        automate("scale", "api_services", "2", home=home)


def test_a_rollout_that_leaves_something_undone_ends_with_1_and_says_what(automate: Automate, home: Path) -> None:
    automate("scale", "api_services", "3", home=home)
    port = instance(automate, home, "api_services-003")["port"]
    automate("scale", "api_services", "2", home=home)
    import socket

    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        told = automate("scale", "api_services", "3", home=home)
    automate("scale", "api_services", "2", home=home)
    assert told.status == 1
    assert "incomplete: 0 of 1 done" in told.out
    assert "api_services-003: " in told.out
    assert f"127.0.0.1:{port}" in told.out


def test_a_stream_that_is_not_installed_is_refused(automate: Automate, home: Path) -> None:
    told = automate("scale", "api_service", "3", home=home)
    assert told.status == 66
    assert "api_services" in told.err


@pytest.mark.parametrize("settings", ["{", "[1]"])
def test_settings_that_are_none_are_refused(settings: str, automate: Automate, home: Path) -> None:
    assert automate("fleet", "deploy", "api_services", "1", "--settings", settings, home=home).status == 64
    assert len(automate("fleet", "list", "--json", home=home).lines) == 2


def test_chaos_crashes_an_instance_that_comes_back(automate: Automate, home: Path) -> None:
    before = instance(automate, home, SECOND)["restarts"]
    assert automate("chaos", "crash", SECOND, home=home).status == 0
    view = instance(automate, home, SECOND)
    for _ in range(2000):
        if view["restarts"] > before and view["state"] == "ready":
            break
        view = instance(automate, home, SECOND)
    assert view["restarts"] == before + 1
    assert view["last_failure"]["kind"] == "CrashedOnRequest"
    shown = automate("fleet", "get", SECOND, home=home).out
    assert "CrashedOnRequest: chaos.crash was called" in shown
    assert "CrashedOnRequest" in automate("tree", home=home).out


def test_address_is_where_an_instance_listens(automate: Automate, home: Path) -> None:
    view = instance(automate, home, FIRST)
    assert automate("fleet", "address", FIRST, home=home).out == f"http://127.0.0.1:{view['port']}\n"


def test_a_stream_without_actions_says_so(automate: Automate, home: Path) -> None:
    told = automate("fleet", "act", FIRST, home=home)
    assert (told.status, told.out, told.err) == (0, "", f"{FIRST} has no actions of its own\n")
    refused = automate("fleet", "act", FIRST, "dance", "times=2", home=home)
    assert refused.status == 66
    assert "has no action 'dance'" in refused.err


@pytest.mark.parametrize("argument", ["times", "=2"])
def test_an_argument_without_a_name_is_a_mistake(automate: Automate, home: Path, argument: str) -> None:
    told = automate("fleet", "act", FIRST, "dance", argument, home=home)
    assert told.status == 64
    assert "NAME=VALUE" in told.err


def test_arguments_are_json_text_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "statement.csv"
    file.write_text("\ufefforder;amount\n1;2,50\n", "utf-8")
    written = ["a=1", "b=one=two", 'c={"x": [true]}', f"d=@{file}", "e="]
    assert named_arguments(written) == {
        "a": 1,
        "b": "one=two",
        "c": {"x": [True]},
        "d": "order;amount\n1;2,50\n",
        "e": "",
    }
    with pytest.raises(click.BadParameter, match=r"nowhere\.csv"):
        named_arguments([f"d=@{tmp_path}/nowhere.csv"])


def test_a_paper_world_without_servers_says_so(automate: Automate, home: Path) -> None:
    told = automate("sandbox", home=home)
    assert (told.status, told.out) == (0, "")
    assert "no servers" in told.err
    assert automate("sandbox", "--json", home=home).out == ""
