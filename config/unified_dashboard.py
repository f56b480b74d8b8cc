"""`unified_dashboard_config.json`: which services the daemon runs, and what it watches."""

from __future__ import annotations

import msgspec

from config.agent_workflows import Workflow
from config.names import Name


class UnifiedDashboard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The daemon's own services.

    Attributes:
        services: Services to run, by name; one that this version does not have is for the daemon to report.
        workflows: Workflows in addition to those of `agent_workflows_config.json`.
        monitoring_enabled: Watch the health of services and instances.
        auto_restart: Restart what has failed, within the budget of `recovery_config.json`.
        revenue_tracking: Collect what the instances earn for reports.
    """

    services: tuple[Name, ...] = (
        "deployment_manager",
        "revenue_dashboard",
        "auto_scaling",
        "health_monitor",
        "profit_maximizer",
    )
    workflows: tuple[Workflow, ...] = ()
    monitoring_enabled: bool = True
    auto_restart: bool = True
    revenue_tracking: bool = True
