"""`revenue.*`: what was earned, as a report."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from actors import ActorRef
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.money.dashboard.report import RevenueReport
from orchestrator.money.dashboard.revenue_dashboard import MakeReport

_ASK_S: Final = 60.0


class ReportParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of it.

    Attributes:
        instances: How many instances are broken down at most, those of the highest net first.
        write: Whether to write `revenue_analytics_report.json` and `.html`, too, with all instances.
    """

    instances: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
    write: bool = False


def register_revenue(methods: Methods, dashboard: ActorRef[Any] | None) -> None:
    """Register the methods.

    Args:
        methods: Where.
        dashboard: The revenue dashboard; None where the configuration leaves it out.
    """

    @methods.register("revenue.report", limit_s=_ASK_S)
    async def report(params: ReportParams, session: Session) -> RevenueReport:
        """Make the report of revenue now: totals, growth, return on cost, streams, instances, funnel."""
        if dashboard is None:
            raise RpcError(
                jsonrpc.REFUSED,
                "the service revenue_dashboard is not in unified_dashboard_config.json, or revenue_tracking is off",
            )
        made: RevenueReport = await dashboard.ask(MakeReport(params.instances, params.write), _ASK_S)
        return made
