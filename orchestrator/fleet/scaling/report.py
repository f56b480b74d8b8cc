"""What people and programs see of the auto-scaler."""

from __future__ import annotations

from datetime import datetime

import msgspec

from config.auto_scaling import AutoScaling
from orchestrator.fleet.scaling.decision import Decision, Round
from orchestrator.fleet.scaling.earnings import Source
from orchestrator.fleet.scaling.room import Place


class RoundPage(msgspec.Struct, frozen=True):
    """Some rounds, the newest first, and where to go on."""

    items: tuple[Round, ...]
    next_cursor: str | None


class ScalingStatus(msgspec.Struct, frozen=True):
    """How the auto-scaler sees the fleet.

    Attributes:
        at: Now, aware UTC.
        settings: The rule's numbers.
        latest: The last round; None before the first one has ended.
        places: Where there was room then.
        weights_from: Whether streams are weighed by what they earned or by their multipliers.
        history: Former rounds, the newest first, as many as were asked for.
        next_cursor: Where the history goes on.
        problem: Why rounds are not written, where they are not.
    """

    at: datetime
    settings: AutoScaling
    latest: Round | None
    places: tuple[Place, ...]
    weights_from: Source
    history: tuple[Round, ...]
    next_cursor: str | None
    problem: str | None


def told(number: int, decision: Decision, latest: Round) -> dict[str, object]:
    """Return the fields of `scaling.decided`.

    Args:
        number: The round's.
        decision: What was decided of one stream.
        latest: The round.
    """
    figures = latest.figures
    fields: dict[str, object] = {
        "stream": decision.stream,
        "action": decision.action,
        "instances": decision.count if decision.to == decision.count else {"from": decision.count, "to": decision.to},
        "reason": decision.reason,
        "code": decision.code,
        "round": number,
        "figures": {
            "cpu": figures.cpu,
            "memory": figures.memory,
            "loop": figures.loop,
            "lag_s": figures.lag_s,
            "ready": figures.instances,
        },
    }
    if decision.advice is not None:
        fields["advice"] = msgspec.to_builtins(decision.advice)
    if decision.expected is not None:
        fields["expected"] = msgspec.to_builtins(decision.expected)
    for name in ("rollout", "refused"):
        if (value := getattr(decision, name)) is not None:
            fields[name] = value
    return fields
