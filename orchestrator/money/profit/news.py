"""Decisions, and what came of them, as events."""

from __future__ import annotations

import msgspec

from orchestrator.events import EventBus
from orchestrator.money.profit.decision import Decision


def tell_decision(events: EventBus, decision: Decision) -> None:
    """Publish `profit.decided`."""
    events.publish(
        "profit.decided",
        decision=decision.id,
        action=decision.verdict,
        reason=decision.reason,
        book=decision.book,
        asset=decision.asset,
        by=decision.by,
        expected=decision.expected,
        expected_before=decision.expected_before,
        movers=msgspec.to_builtins(decision.movers),
        streams={part.stream: {"from": part.before, "to": part.after} for part in decision.streams},
        waited=decision.waited,
    )


def tell_outcome(events: EventBus, decision: Decision) -> None:
    """Publish `profit.settled`, for a decision of which all is taken to have come."""
    assert decision.outcome is not None
    events.publish(
        "profit.settled",
        decision=decision.id,
        book=decision.book,
        asset=decision.asset,
        expected=decision.expected,
        came=decision.outcome.net,
    )
