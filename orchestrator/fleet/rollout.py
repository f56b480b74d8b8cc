"""A rollout: instances that are brought into the state a deployment asked for, with progress."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, TypeAlias

import msgspec

Strategy: TypeAlias = Literal["full", "staged", "canary"]

RolloutState: TypeAlias = Literal["running", "completed", "incomplete"]
"""`incomplete`: some instances were not ready when it ended; their supervisor goes on trying. Or it was
interrupted, because the deployment manager itself had failed; another rollout takes up what it left."""


class Rollout(msgspec.Struct, frozen=True):
    """How a rollout goes.

    Attributes:
        id: `rollout-0001`, counted from the daemon's start.
        stream: Of which stream.
        strategy: How it proceeds.
        state: Where it is.
        total: Instances concerned.
        done: Instances that are as asked.
        failed: Those that were not ready, each with the reason.
        started_at: When it began, UTC.
        ended_at: When it ended; None while it runs.
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

    def advanced(self) -> Rollout:
        """Return it with one more instance done."""
        return msgspec.structs.replace(self, done=self.done + 1)

    def with_failure(self, instance: str, reason: str) -> Rollout:
        """Return it with an instance that was not ready."""
        return msgspec.structs.replace(self, failed={**self.failed, instance: reason})

    def ended(self) -> Rollout:
        """Return it at its end."""
        state: RolloutState = "completed" if self.done == self.total and not self.failed else "incomplete"
        return msgspec.structs.replace(self, state=state, ended_at=datetime.now(UTC))


class RolloutPage(msgspec.Struct, frozen=True):
    """Some rollouts, and where to go on."""

    items: tuple[Rollout, ...]
    next_cursor: str | None
