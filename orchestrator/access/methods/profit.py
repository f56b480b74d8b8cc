"""`profit.*`: how what instances share is divided by what they earn, why, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors import ActorRef
from orchestrator.access import jsonrpc
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.jsonrpc import RpcError
from orchestrator.money.profit.decision import Decision, DecisionPage, Explanation, ProfitPlan
from orchestrator.money.profit.messages import ExplainShare, PlanProfit, ReadDecisions, RunProfit

_ASK_S = 20.0


class PlanParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which instances of the plan are listed.

    Attributes:
        stream: Only those of this stream.
        limit: How many at most, 1,000 in any case.
        cursor: Where the page before ended.
    """

    stream: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1)] = 100
    cursor: str | None = None


class HistoryParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which decisions.

    Attributes:
        limit: How many at most, 100 in any case.
        cursor: Where the page before ended; the number of a decision, those before it follow.
    """

    limit: Annotated[int, msgspec.Meta(ge=1)] = 100
    cursor: str | None = None


class ExplainParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose share.

    Attributes:
        instance: The instance's id.
    """

    instance: str


def register_profit(methods: Methods, maximizer: ActorRef[Any] | None) -> None:
    """Register the methods; `maximizer` is None where the configuration has switched it off."""

    def there() -> ActorRef[Any]:
        if maximizer is None:
            raise RpcError(
                jsonrpc.REFUSED,
                "all instances have equal shares; name profit_maximizer among the services in "
                "unified_dashboard_config.json, and restart the daemon",
            )
        return maximizer

    @methods.register("profit.plan")
    async def plan(params: PlanParams, session: Session) -> ProfitPlan:
        """Tell how shares would be divided now, and why; changes nothing."""
        told: ProfitPlan = await there().ask(PlanProfit(params.stream, params.limit, params.cursor), _ASK_S)
        return told

    @methods.register("profit.run")
    async def run(params: NoParams, session: Session) -> Decision:
        """Divide shares now, not only when the period is over."""
        decision: Decision = await there().ask(RunProfit(), _ASK_S)
        return decision

    @methods.register("profit.history")
    async def history(params: HistoryParams, session: Session) -> DecisionPage:
        """Page through decisions, the newest first: what each was expected to bring, and what it brought."""
        page: DecisionPage = await there().ask(ReadDecisions(params.limit, params.cursor), _ASK_S)
        return page

    @methods.register("profit.explain")
    async def explain(params: ExplainParams, session: Session) -> Explanation:
        """Tell why an instance has its share: evidence, expectation, marginal profit, and what limits it."""
        told: Explanation = await there().ask(ExplainShare(params.instance), _ASK_S)
        return told
