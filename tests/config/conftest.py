from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.fleet import multipliers_of
from config.paths import Paths, resolve_home
from config.store import ConfigStore

FOUNDING: dict[str, Any] = {
    "repo_automation": {
        "auto_create": True,
        "auto_initialize": True,
        "auto_setup_ci_cd": True,
        "templates": ["python_project", "node_project", "revenue_scripts", "agent_workflows"],
    },
    "agent_workflows": [
        {
            "name": "revenue_optimizer",
            "type": "continuous",
            "script": "crypto_arbitrage.py",
            "priority": "high",
        },
        {
            "name": "data_harvester",
            "type": "scheduled",
            "script": "data_harvester.py",
            "priority": "medium",
        },
        {
            "name": "content_creator",
            "type": "continuous",
            "script": "content_monetizer.py",
            "priority": "medium",
        },
        {
            "name": "api_server",
            "type": "service",
            "script": "api_revenue_server.py",
            "priority": "high",
        },
        {
            "name": "affiliate_manager",
            "type": "scheduled",
            "script": "affiliate_monetizer.py",
            "priority": "low",
        },
    ],
    "recovery": {"max_retries": 3, "retry_delay": 60, "failover_enabled": True, "backup_instances": 5},
    "cicd_automation": {
        "auto_test": True,
        "auto_deploy": True,
        "auto_rollback": True,
        "quality_gates": ["tests_pass", "coverage_threshold", "no_security_issues"],
    },
    "unified_dashboard": {
        "services": [
            "deployment_manager",
            "revenue_dashboard",
            "auto_scaling",
            "health_monitor",
            "profit_maximizer",
        ],
        "workflows": [{"name": "api_server", "type": "service", "script": "api_revenue_server.py", "priority": "high"}],
        "monitoring_enabled": True,
        "auto_restart": True,
        "revenue_tracking": True,
    },
}
"""The shapes of the founding project, by section."""


@pytest.fixture
def founding() -> dict[str, Any]:
    return copy.deepcopy(FOUNDING)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = resolve_home(str(tmp_path / "home"), {})
    made.create()
    return made


@pytest.fixture
def store(paths: Paths) -> ConfigStore:
    return ConfigStore(paths, multipliers_of(["api_services"]))


@pytest.fixture
def drop(paths: Paths) -> Callable[..., Path]:
    """Put a file into the configuration directory, as a person would."""

    def put(section: str, content: Any) -> Path:
        file = paths.config / f"{section}_config.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content, indent=4).encode())
        return file

    return put


@pytest.fixture
def snapshot(paths: Paths) -> Callable[[], dict[str, tuple[bytes, int]]]:
    """Return everything in the configuration directory: bytes and modification times."""

    def take() -> dict[str, tuple[bytes, int]]:
        return {
            str(file.relative_to(paths.config)): (file.read_bytes(), file.stat().st_mtime_ns)
            for file in sorted(paths.config.rglob("*"))
            if file.is_file()
        }

    return take
