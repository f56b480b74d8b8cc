"""`scaling.*`: what the auto-scaler sees, decides and has decided."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors import ActorRef
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.fleet.scaling.auto_scaler import ReadRounds, ReadScaling
from orchestrator.fleet.scaling.report import RoundPage, ScalingStatus

_ASK_S = 20.0


class StatusParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of the auto-scaler.

    Attributes:
        history: How many former rounds are told.
    """

    history: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


class HistoryParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which former rounds.

    Attributes:
        limit: How many at most, 100 in any case.
        cursor: Where the page before ended; the number of a round, those before it follow.
        acted: Only those that changed a count.
    """

    limit: Annotated[int, msgspec.Meta(ge=1)] = 100
    cursor: str | None = None
    acted: bool = False


def register_scaling(methods: Methods, scaler: ActorRef[Any] | None) -> None:
    """Register the methods; `scaler` is None where the configuration has switched it off."""

    def there() -> ActorRef[Any]:
        if scaler is None:
            raise RpcError(
                jsonrpc.REFUSED,
                "the fleet is not scaled by itself; name auto_scaling among the services in "
                "unified_dashboard_config.json, and restart the daemon",
            )
        return scaler

    @methods.register("scaling.status")
    async def status(params: StatusParams, session: Session) -> ScalingStatus:
        """Tell the load, what was decided of each stream and why, and where there is room."""
        told: ScalingStatus = await there().ask(ReadScaling(params.history), _ASK_S)
        return told

    @methods.register("scaling.history")
    async def history(params: HistoryParams, session: Session) -> RoundPage:
        """Page through former rounds, the newest first: figures, decisions, and what came of them."""
        page: RoundPage = await there().ask(ReadRounds(params.limit, params.cursor, params.acted), _ASK_S)
        return page
