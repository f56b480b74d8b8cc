from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError, SaveError, UnknownSection
from config.fleet import Fleet, StreamPlan, multipliers_of
from config.paths import Paths
from config.reading import MAX_FILE_BYTES
from config.sections import SECTIONS, default_settings
from config.store import ConfigStore, section_document

Drop = Callable[[str, Any], Path]
Snapshot = Callable[[], dict[str, tuple[bytes, int]]]

FILES = {
    "repo_automation_config.json",
    "agent_workflows_config.json",
    "recovery_config.json",
    "cicd_automation_config.json",
    "unified_dashboard_config.json",
    "fleet_config.json",
}


def test_a_first_start_makes_six_files_for_the_owner_alone(paths: Paths, store: ConfigStore) -> None:
    settings = store.load()
    made = [file for file in paths.config.iterdir() if file.is_file()]
    assert {file.name for file in made} == FILES
    assert {stat.S_IMODE(file.stat().st_mode) for file in made} == {0o600}
    assert list(paths.backups.iterdir()) == []
    assert settings == default_settings({"api_services": 3.0})
    fleet = json.loads((paths.config / "fleet_config.json").read_text())
    plan = {"count": 20, "multiplier": 3.0, "isolation": "actor", "settings": {}}
    unbounded = {"scale_min": None, "scale_max": None, "scaled": None}
    assert fleet["streams"] == {"api_services": plan | unbounded}
    assert (fleet["mode"], fleet["port_base"], fleet["chaos"]) == ("sandbox", 7800, False)
    recovery = json.loads((paths.config / "recovery_config.json").read_text())
    assert recovery == {
        "max_retries": 3,
        "retry_delay": 60,
        "failover_enabled": True,
        "backup_instances": 5,
        "retry_window": 60,
    }
    assert "60.0" not in (paths.config / "recovery_config.json").read_text()


def test_a_second_start_touches_nothing(store: ConfigStore, snapshot: Snapshot) -> None:
    first = store.load()
    before = snapshot()
    assert store.load() == first
    assert snapshot() == before


def test_the_founding_files_load_unchanged_and_are_in_force(
    store: ConfigStore, founding: dict[str, Any], drop: Drop
) -> None:
    files = {section: drop(section, content) for section, content in founding.items()}
    before = {section: (file.read_bytes(), file.stat().st_mtime_ns) for section, file in files.items()}
    settings = store.load()
    for section, content in founding.items():
        document = section_document(settings, section)
        if section == "recovery":
            assert document.pop("retry_window") == 60
        else:
            assert (files[section].read_bytes(), files[section].stat().st_mtime_ns) == before[section]
        assert document == content
    assert [workflow.type for workflow in settings.agent_workflows] == [
        "continuous",
        "scheduled",
        "continuous",
        "service",
        "scheduled",
    ]


def test_values_that_differ_from_ours_are_in_force(store: ConfigStore, founding: dict[str, Any], drop: Drop) -> None:
    drop("recovery", founding["recovery"] | {"max_retries": 7, "failover_enabled": False})
    drop("cicd_automation", {**founding["cicd_automation"], "auto_deploy": False, "quality_gates": []})
    settings = store.load()
    assert (settings.recovery.max_retries, settings.recovery.failover_enabled) == (7, False)
    assert (settings.cicd_automation.auto_deploy, settings.cicd_automation.quality_gates) == (False, ())


def test_a_file_that_leaves_something_open_stays_as_it_was_written(
    paths: Paths, store: ConfigStore, drop: Drop
) -> None:
    original = b'{"failover_enabled":false,   "retry_delay": 90, "max_retries": 4}'
    file = drop("recovery", original)
    assert store.load().recovery.retry_window == 60
    assert file.read_bytes() == original
    assert not any(paths.backups.iterdir())


def test_a_change_adds_absent_keys_behind_those_that_are_there_after_a_backup(
    paths: Paths, store: ConfigStore, drop: Drop
) -> None:
    original = b'{"failover_enabled":false,   "retry_delay": 90, "max_retries": 4}'
    file = drop("recovery", original)
    store.set_section("recovery", {"max_retries": 6})
    assert list(json.loads(file.read_text()).items()) == [
        ("failover_enabled", False),
        ("retry_delay", 90),
        ("max_retries", 6),
        ("backup_instances", 5),
        ("retry_window", 60),
    ]
    assert '"retry_delay": 90,' in file.read_text()
    (backup,) = paths.backups.iterdir()
    assert backup.read_bytes() == original
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_plan_without_a_multiplier_gets_that_of_its_stream(store: ConfigStore, drop: Drop) -> None:
    drop("fleet", {"streams": {"api_services": {"count": 2}}})
    assert store.load().fleet.streams == {"api_services": StreamPlan(count=2, multiplier=3.0)}


def test_streams_that_the_file_does_not_name_do_not_run(paths: Paths, drop: Drop) -> None:
    drop("fleet", {"streams": {"api_services": {"count": 2}}})
    store = ConfigStore(paths, multipliers_of(["api_services", "data_harvesting"]))
    assert list(store.load().fleet.streams) == ["api_services"]


def test_a_file_that_names_no_streams_gets_all_that_exist(paths: Paths, drop: Drop) -> None:
    drop("fleet", {"mode": "live"})
    store = ConfigStore(paths, multipliers_of(["api_services", "data_harvesting", "our_plugin"]))
    fleet = store.load().fleet
    assert fleet.mode == "live"
    assert {name: (plan.count, plan.multiplier) for name, plan in fleet.streams.items()} == {
        "api_services": (20, 3.0),
        "data_harvesting": (20, 1.8),
        "our_plugin": (20, 1.0),
    }


@pytest.mark.parametrize(
    ("section", "content", "parts"),
    [
        (
            "fleet",
            {"streams": {"api_services": {"count": "twenty"}}},
            ["$.streams.api_services.count", "an integer of at least 0", 'the text "twenty"'],
        ),
        (
            "fleet",
            {"streams": {"api_services": {"cuont": 3}}},
            ["$.streams.api_services.cuont", "a known key (count,", 'nearest known: "count"'],
        ),
        (
            "fleet",
            {"streams": {"api_servces": {}}},
            ["$.streams.api_servces", "a known key (", 'nearest known: "api_services"'],
        ),
        ("fleet", {"mode": "sandbx"}, ["$.mode", '"live", "sandbox"', 'nearest known: "sandbox"']),
        ("fleet", {"port_base": 65_530}, ["$.port_base", "at most 65515", "found 65530"]),
        ("fleet", {"control_group": "a\n"}, ["$.control_group", "or null"]),
        ("recovery", {"max_retry": 3}, ["$.max_retry", 'nearest known: "max_retries"']),
        ("recovery", {"max_retries": -1}, ["$.max_retries", "at least 0", "the number -1"]),
        ("recovery", {"retry_window": 0}, ["$.retry_window", "more than 0"]),
        ("recovery", [], ["$: expected an object", "the list []"]),
        ("agent_workflows", {}, ["$: expected a list", "the object {}"]),
        (
            "agent_workflows",
            [{"name": "a", "type": "continous", "script": "a.py"}],
            ["$[0].type", '"continuous", "scheduled", "service"', 'nearest known: "continuous"'],
        ),
        ("agent_workflows", [{"name": "a", "type": "service"}], ["$[0].script", "no such key"]),
        (
            "agent_workflows",
            [{"name": "a", "type": "service", "script": "a.py"}] * 2,
            ["$[1].name", "a name that no other workflow has", "the name of $[0]"],
        ),
        (
            "unified_dashboard",
            {"workflows": [{"name": "a", "type": "service", "script": "a.py"}] * 2},
            ["$.workflows[1].name", "the name of $.workflows[0]"],
        ),
        ("repo_automation", {"templates": ["python_projct"]}, ["$.templates[0]", '"python_project"']),
        ("cicd_automation", {"quality_gates": ["test_pass"]}, ["$.quality_gates[0]", '"tests_pass"']),
        ("recovery", b'{\n  "max_retries": 3,\n}', ["$ (line 3, column 1)", "a key in double quotes"]),
        ("recovery", b'{"max_retries": 3, "max_retries": 4}', ["$.max_retries", "each key once"]),
        ("recovery", b'{"retry_delay": NaN}', ["$ (line 1, column 17)", "found NaN"]),
        ("recovery", b'\xef\xbb\xbf{"retry_delay": 1}', ["without a byte order mark"]),
        ("recovery", b'{"\xff": 1}', ["(line 1, column 3)", "UTF-8", "0xFF"]),
        ("recovery", b"", ["(line 1, column 1)", "the end of the file"]),
        ("recovery", b"null", ["$: expected an object", "null"]),
        ("recovery", b" " * MAX_FILE_BYTES + b"{}", ["at most 1048576 bytes"]),
    ],
)
def test_a_wrong_file_is_told_and_nothing_on_disk_changes(
    store: ConfigStore, drop: Drop, snapshot: Snapshot, section: str, content: Any, parts: list[str]
) -> None:
    file = drop(section, content)
    before = snapshot()
    with pytest.raises(ConfigError) as caught:
        store.load()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{file}: ")
    for part in parts:
        assert part in line
    assert caught.value.exit_code == 78
    assert snapshot() == before


def test_the_problems_of_all_files_are_told_at_once(
    paths: Paths, store: ConfigStore, drop: Drop, snapshot: Snapshot
) -> None:
    drop("recovery", b"{")
    drop("fleet", {"chaos": "yes", "prot_base": 1})
    drop("cicd_automation", b'{"auto_test": 1e999}')
    drop("repo_automation", {"auto_create": True})
    before = snapshot()
    with pytest.raises(ConfigError) as caught:
        store.load()
    told = {(Path(problem.file).name, problem.fault.path) for problem in caught.value.problems}
    assert told == {
        ("recovery_config.json", "$"),
        ("cicd_automation_config.json", "$.auto_test"),
        ("fleet_config.json", "$.chaos"),
        ("fleet_config.json", "$.prot_base"),
    }
    assert len(str(caught.value).splitlines()) == 4
    assert snapshot() == before


def test_validating_writes_nothing(store: ConfigStore, drop: Drop, snapshot: Snapshot) -> None:
    drop("recovery", {"max_retries": 9})
    before = snapshot()
    assert store.validate().recovery.max_retries == 9
    assert snapshot() == before


def test_setting_merges_saves_backs_up_and_returns_what_is_in_force(paths: Paths, store: ConfigStore) -> None:
    store.load()
    file = paths.config / "fleet_config.json"
    former = file.read_bytes()
    changed = store.set_section("fleet", {"chaos": True, "streams": {"api_services": {"count": 3}}})
    assert changed.fleet.chaos is True
    assert changed.fleet.streams["api_services"] == StreamPlan(count=3, multiplier=3.0)
    assert store.validate() == changed
    (backup,) = paths.backups.iterdir()
    assert backup.read_bytes() == former


def test_setting_null_brings_the_default_back(store: ConfigStore) -> None:
    store.set_section("fleet", {"port_base": 9000, "streams": {"api_services": {"count": 3}}})
    changed = store.set_section(
        "fleet", {"port_base": None, "streams": {"api_services": {"count": None, "multiplier": None}}}
    )
    assert changed.fleet == default_settings({"api_services": 3.0}).fleet


def test_setting_null_removes_a_stream(store: ConfigStore) -> None:
    assert store.set_section("fleet", {"streams": {"api_services": None}}).fleet.streams == {}


def test_the_workflows_are_set_as_a_list(store: ConfigStore, founding: dict[str, Any]) -> None:
    changed = store.set_section("agent_workflows", founding["agent_workflows"])
    assert section_document(changed, "agent_workflows") == founding["agent_workflows"]


def test_setting_what_is_already_so_touches_nothing(store: ConfigStore, snapshot: Snapshot) -> None:
    store.load()
    before = snapshot()
    store.set_section("recovery", {"max_retries": 3, "retry_delay": 60.0})
    assert snapshot() == before


@pytest.mark.parametrize(
    "values", [{"max_retrys": 1}, {"max_retries": "1"}, None, [], {"retry_delay": float("inf")}, {"a": 2**80}]
)
def test_setting_a_wrong_value_changes_nothing(store: ConfigStore, snapshot: Snapshot, values: Any) -> None:
    store.load()
    before = snapshot()
    with pytest.raises(ConfigError, match=r"recovery_config\.json: \$"):
        store.set_section("recovery", values)
    assert snapshot() == before


def test_setting_more_than_a_file_may_hold_changes_nothing(store: ConfigStore, snapshot: Snapshot) -> None:
    store.load()
    before = snapshot()
    with pytest.raises(ConfigError, match="at most 1048576 bytes"):
        store.set_section("fleet", {"streams": {"api_services": {"settings": {"x": "x" * MAX_FILE_BYTES}}}})
    assert snapshot() == before


def test_setting_keeps_what_a_person_has_written_meanwhile(store: ConfigStore, drop: Drop) -> None:
    store.load()
    drop("recovery", {"max_retries": 9})
    changed = store.set_section("recovery", {"backup_instances": 2})
    assert (changed.recovery.max_retries, changed.recovery.backup_instances) == (9, 2)


def test_an_unknown_section_is_refused_with_the_nearest(store: ConfigStore) -> None:
    with pytest.raises(UnknownSection, match='no section "recovry"; nearest: "recovery"'):
        store.set_section("recovry", {})


def test_changes_from_many_threads_are_all_kept(store: ConfigStore) -> None:
    store.load()
    keys = ["port_base", "seed", "log_files_kept", "stop_deadline_s", "sandbox_calls_per_minute"]
    with ThreadPoolExecutor(len(keys)) as pool:
        list(pool.map(lambda key: store.set_section("fleet", {key: 42}), keys))
    fleet = store.validate().fleet
    assert [getattr(fleet, key) for key in keys] == [42] * len(keys)


def test_saving_where_nothing_can_be_written_says_so(paths: Paths, store: ConfigStore) -> None:
    paths.backups.rmdir()
    paths.config.rmdir()
    paths.config.write_bytes(b"")
    with pytest.raises(ConfigError, match="Not a directory"):
        store.load()
    paths.config.unlink()
    with pytest.raises(SaveError, match="its former version stands") as caught:
        store.load()
    assert caught.value.exit_code == 74


def test_a_linked_file_stays_a_link(paths: Paths, store: ConfigStore, tmp_path: Path) -> None:
    target = tmp_path / "managed.json"
    target.write_text('{"max_retries": 9}')
    (paths.config / "recovery_config.json").symlink_to(target)
    store.set_section("recovery", {"max_retries": 8})
    assert (paths.config / "recovery_config.json").is_symlink()
    assert json.loads(target.read_text())["max_retries"] == 8


def test_the_default_of_every_section_is_valid() -> None:
    streams = multipliers_of(["api_services", "crypto_arbitrage"])
    for section in SECTIONS:
        document = section_document(default_settings(streams), section.name)
        value, faults = section.convert(document, streams)
        assert faults == []
        assert value == section.default(streams)


def test_no_workflow_is_made_up(store: ConfigStore) -> None:
    settings = store.load()
    assert settings.agent_workflows == ()
    assert settings.unified_dashboard.workflows == ()


def test_twenty_sandbox_instances_see_five_calls_a_second_by_default() -> None:
    assert 20 * Fleet().sandbox_calls_per_minute / 60 == 5


def test_a_stream_that_is_not_installed_any_more_may_stand_there_at_rest(store: ConfigStore, paths: Paths) -> None:
    store.load()
    file = paths.config / "fleet_config.json"
    file.write_text('{"streams": {"removed": {"count": 0, "settings": {"street": "1 Main Street"}}}}')
    assert store.load().fleet.streams["removed"].count == 0
    file.write_text('{"streams": {"removed": {"count": 1}}}')
    with pytest.raises(ConfigError, match="removed"):
        store.load()


def test_a_stream_that_was_installed_meanwhile_is_learnt_of(store: ConfigStore) -> None:
    store.load()
    with pytest.raises(ConfigError, match="newcomer"):
        store.set_section("fleet", {"streams": {"newcomer": {"count": 2}}})
    store.know({"newcomer": 1.5})
    plan = store.set_section("fleet", {"streams": {"newcomer": {"count": 2}}}).fleet.streams["newcomer"]
    assert (plan.count, plan.multiplier) == (2, 1.5)
