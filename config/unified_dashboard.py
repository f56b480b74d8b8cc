"""`unified_dashboard_config.json`: which services the daemon runs, and what it watches."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from config.agent_workflows import Workflow
from config.names import Name

AssetCode: TypeAlias = Annotated[
    str, msgspec.Meta(max_length=12, pattern=r"^[A-Z][A-Z0-9]+$(?!\n)", description="an asset's code, as `USD`")
]
"""An asset's code; whether it is declared is for the ledger to say."""

DecimalAmount: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        max_length=20,
        pattern=r"^(0|[1-9][0-9]*)(\.[0-9]{1,6})?$(?!\n)",
        description="an amount in quotes, as `50` or `12.50`",
    ),
]
"""An amount of money, never a float."""


class UnifiedDashboard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The daemon's own services.

    Attributes:
        services: Services to run, by name; one that this version does not have is for the daemon to report.
        workflows: Workflows in addition to those of `agent_workflows_config.json`.
        monitoring_enabled: Watch the health of services and instances.
        auto_restart: Restart what has failed, within the budget of `recovery_config.json`.
        revenue_tracking: Collect what the instances earn for reports.
        report_interval_s: Seconds between two reports of revenue.
        report_asset: The asset that stands at the top of reports; others stand beside it, and are never added.
        daily_target: What is to be earned in a day, in that asset, as decimal text; null for no target.
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
    report_interval_s: Annotated[float, msgspec.Meta(ge=5, le=86_400)] = 300
    report_asset: AssetCode = "USD"
    daily_target: DecimalAmount | None = None
