"""A rollout: instances that are brought into the state a deployment asked for, with progress."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from orchestrator.fleet.rolling.validation import Figure

Strategy: TypeAlias = Literal["full", "staged", "canary"]
"""`full`: all at once. `staged`: batch by batch, each judged before the next one. `canary`: a few first, which are
judged, then all others."""

RolloutState: TypeAlias = Literal["running", "paused", "completed", "incomplete", "rolled_back", "aborted"]
"""`paused`: there is no verdict on a batch; it goes on when somebody promotes or aborts it, or when there is one.
`incomplete`: some instances were not ready when it ended; their supervisor goes on trying. Or it was
interrupted, because the deployment manager itself had failed; another rollout takes up what it left. `rolled_back`:
the instances are as they were before, because a batch was worse than the others. `aborted`: the same, because somebody
wanted it."""

Phase: TypeAlias = Literal["changing", "watching", "reverting"]
"""`changing`: a batch is being brought up. `watching`: it is judged. `reverting`: the former state is brought back."""


class Rollout(msgspec.Struct, frozen=True):
    """How a rollout goes.

    Attributes:
        id: `rollout-0001`; no other has had it before.
        stream: Of which stream.
        strategy: How it proceeds.
        state: Where it is.
        total: Instances concerned.
        done: Instances that are as asked.
        failed: Those that were not ready, each with the reason.
        started_at: When it began, UTC.
        ended_at: When it ended; None while it runs or is paused.
        phase: What is done with the batch.
        stage: Which batch, from 1.
        stages: How many there are.
        reason: Why it is where it is: what was last said of the batch, or why it ended so.
        figures: The batch beside its baseline, by measure.
    """

    id: str
    stream: str
    strategy: Strategy
    total: int
    state: RolloutState = "running"
    done: int = 0
    failed: dict[str, str] = {}
    started_at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    phase: Phase = "changing"
    stage: int = 1
    stages: int = 1
    reason: str | None = None
    figures: dict[str, Figure] = {}

    def with_change(self, **fields: Any) -> Rollout:
        """Return it with some fields changed."""
        return msgspec.structs.replace(self, **fields)

    def advanced(self) -> Rollout:
        """Return it with one more instance done."""
        return msgspec.structs.replace(self, done=self.done + 1)

    def with_failure(self, instance: str, reason: str) -> Rollout:
        """Return it with an instance that was not ready."""
        return msgspec.structs.replace(self, failed={**self.failed, instance: reason})

    def ended(self, state: RolloutState | None = None, reason: str | None = None) -> Rollout:
        """Return it at its end; without a state, the one that its counts tell."""
        if state is None:
            state = "completed" if self.done == self.total and not self.failed else "incomplete"
        return msgspec.structs.replace(self, state=state, reason=reason, ended_at=datetime.now(UTC))


class RolloutPage(msgspec.Struct, frozen=True):
    """Some rollouts, and where to go on."""

    items: tuple[Rollout, ...]
    next_cursor: str | None
