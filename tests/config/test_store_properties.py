"""What must hold for any settings: what was saved is what loads, and saving it again is nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.agent_workflows import Workflow
from config.cicd_automation import CicdAutomation
from config.fleet import Fleet, StreamPlan
from config.paths import resolve_home
from config.recovery import Recovery
from config.repo_automation import RepoAutomation
from config.revenue_report import RevenueReporting
from config.sections import Settings
from config.store import ConfigStore
from config.unified_dashboard import UnifiedDashboard

STREAMS = {"api_services": 3.0, "data_harvesting": 1.8}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
seconds = st.floats(0.001, 86_400) | st.integers(1, 86_400)
workflows = st.lists(
    st.builds(
        Workflow,
        name=names,
        type=st.sampled_from(["continuous", "scheduled", "service"]),
        script=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20),
        priority=st.sampled_from(["high", "medium", "low"]),
    ),
    max_size=4,
    unique_by=lambda workflow: workflow.name,
).map(tuple)


def some_of(*choices: str) -> Any:
    return st.lists(st.sampled_from(choices), unique=True).map(tuple)


any_settings = st.builds(
    Settings,
    repo_automation=st.builds(
        RepoAutomation,
        auto_create=st.booleans(),
        auto_initialize=st.booleans(),
        auto_setup_ci_cd=st.booleans(),
        templates=some_of("python_project", "node_project", "revenue_scripts", "agent_workflows"),
    ),
    agent_workflows=workflows,
    recovery=st.builds(
        Recovery,
        max_retries=st.integers(0, 1000),
        retry_delay=seconds,
        failover_enabled=st.booleans(),
        backup_instances=st.integers(0, 1000),
        retry_window=seconds,
    ),
    cicd_automation=st.builds(
        CicdAutomation,
        auto_test=st.booleans(),
        auto_deploy=st.booleans(),
        auto_rollback=st.booleans(),
        quality_gates=some_of("tests_pass", "coverage_threshold", "no_security_issues"),
    ),
    unified_dashboard=st.builds(
        UnifiedDashboard,
        services=st.lists(names, max_size=4).map(tuple),
        workflows=workflows,
        monitoring_enabled=st.booleans(),
        auto_restart=st.booleans(),
        revenue_tracking=st.booleans(),
    ),
    fleet=st.builds(
        Fleet,
        mode=st.sampled_from(["sandbox", "live"]),
        port_base=st.integers(1, 45_000),
        chaos=st.booleans(),
        host=st.sampled_from(["127.0.0.1", "::1", "localhost"]),
        seed=st.integers(0, 2**63 - 1),
        control_group=st.none() | names,
        sandbox_calls_per_minute=st.floats(0, 60_000),
        stop_deadline_s=st.floats(0.1, 3600),
        log_max_bytes=st.integers(65_536, 2**40),
        instance_log_max_bytes=st.integers(65_536, 2**40),
        log_files_kept=st.integers(1, 100),
        report=st.builds(
            RevenueReporting,
            interval_s=st.floats(5, 86_400),
            asset=st.sampled_from(["USD", "BTC"]),
            daily_target=st.none() | st.sampled_from(["0", "12.50", "1000000"]),
        ),
        streams=st.dictionaries(
            st.sampled_from(list(STREAMS)),
            st.builds(
                StreamPlan,
                count=st.integers(0, 10_000),
                multiplier=st.floats(0.001, 1000),
                isolation=st.sampled_from(["actor", "process"]),
                settings=st.dictionaries(texts, json_values, max_size=3),
            ),
        ),
    ),
)


@settings(max_examples=20, deadline=None)
@given(any_settings, any_settings)
def test_what_was_saved_is_what_loads_and_saving_it_again_touches_nothing(former: Settings, wanted: Settings) -> None:
    with tempfile.TemporaryDirectory() as directory:
        paths = resolve_home(str(Path(directory) / "home"), {})
        paths.create()
        store = ConfigStore(paths, STREAMS)
        store.save(former)
        store.save(wanted)
        before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in paths.config.rglob("*.json")}
        assert store.load() == wanted
        store.save(wanted)
        after = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in paths.config.rglob("*.json")}
        assert after == before
