"""How the configuration becomes restart policies."""

from __future__ import annotations

from config.recovery import Recovery
from orchestrator.tree import instance_policy


def test_the_recovery_configuration_is_the_budget_of_each_instance() -> None:
    policy = instance_policy(Recovery(max_retries=5, retry_window=30, retry_delay=7), auto_restart=True)
    assert (policy.max_restarts, policy.window_s, policy.cooldown_s) == (5, 30, 7)
    assert policy.per_child
    assert policy.when_exhausted == "delay"


def test_without_auto_restart_a_failed_instance_stays_down() -> None:
    policy = instance_policy(Recovery(), auto_restart=False)
    assert policy.max_restarts == 0
    assert policy.when_exhausted == "stop"
