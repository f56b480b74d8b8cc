"""`health.report`: how every instance and service is, what is wrong now, and what was."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors import ActorRef
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.fleet.health.report import HealthReport, Verdict
from orchestrator.fleet.health_monitor import ReadHealth

_ASK_S = 20.0


class ReportParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of the fleet's health.

    Attributes:
        stream: Only instances of this stream.
        verdict: Only instances that were found so.
        name: Only the history of this instance or service.
        history: How many past failures and incidents are told, each.
        limit: How many instances the page has at most.
        cursor: Where it begins.
    """

    stream: str | None = None
    verdict: Verdict | None = None
    name: str | None = None
    history: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1)] = 100
    cursor: str | None = None


def register_health(methods: Methods, monitor: ActorRef[Any] | None) -> None:
    """Register the method; `monitor` is None where the configuration has switched it off."""

    @methods.register("health.report")
    async def report(params: ReportParams, session: Session) -> HealthReport:
        """Tell how every instance and service is: instances in pages, all else on each of them."""
        if monitor is None:
            raise RpcError(
                jsonrpc.REFUSED,
                "health is not watched; in unified_dashboard_config.json, set monitoring_enabled to true, name "
                "health_monitor among the services, and restart the daemon",
            )
        told: HealthReport = await monitor.ask(ReadHealth(**msgspec.structs.asdict(params)), _ASK_S)
        return told
