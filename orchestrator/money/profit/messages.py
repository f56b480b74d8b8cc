"""What the profit maximizer is asked."""

from __future__ import annotations

from actors import Request
from orchestrator.money.profit.decision import Decision, DecisionPage, Explanation, ProfitPlan


class PlanProfit(Request[ProfitPlan], frozen=True):
    """What would be decided now; changes nothing.

    Attributes:
        stream: Only instances of this stream are listed.
        limit: How many are listed at most.
        cursor: Where the list begins: the id after which it goes on.
    """

    stream: str | None = None
    limit: int = 100
    cursor: str | None = None


class RunProfit(Request[Decision], frozen=True):
    """Decide now, and carry it out; the period goes on."""


class ReadDecisions(Request[DecisionPage], frozen=True):
    """A page of decisions, the newest first.

    Attributes:
        limit: How many at most.
        cursor: Where the page before ended: the number of its last decision.
    """

    limit: int = 100
    cursor: str | None = None


class ExplainShare(Request[Explanation], frozen=True):
    """Why an instance has its share."""

    instance: str
