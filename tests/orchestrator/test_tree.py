"""How the configuration becomes restart policies."""

from __future__ import annotations

from typing import Any

import pytest

from config.recovery import Recovery
from orchestrator.tree import instance_policy


def test_the_recovery_configuration_is_the_budget_of_each_instance() -> None:
    policy = instance_policy(Recovery(max_retries=5, retry_window=30, retry_delay=7), auto_restart=True)
    assert (policy.max_restarts, policy.window_s, policy.cooldown_s) == (5, 30, 7)
    assert policy.per_child
    assert policy.when_exhausted == "failover"


@pytest.mark.parametrize("without", [{"failover_enabled": False}, {"backup_instances": 0}])
def test_without_standbys_a_failed_instance_waits_out_its_cool_down(without: dict[str, Any]) -> None:
    policy = instance_policy(Recovery(retry_delay=7, **without), auto_restart=True)
    assert (policy.when_exhausted, policy.cooldown_s) == ("delay", 7)


def test_without_auto_restart_a_failed_instance_stays_down() -> None:
    policy = instance_policy(Recovery(), auto_restart=False)
    assert policy.max_restarts == 0
    assert policy.when_exhausted == "stop"
