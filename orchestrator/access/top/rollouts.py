"""Rollouts with their progress."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.text import Text

from orchestrator.access.cli.output import STATE_COLOURS, visible
from orchestrator.access.top.activity import clock

_BAR = 20


class Rollout(msgspec.Struct, frozen=True):
    """A rollout as `rollout.list` has it, as far as it is shown."""

    id: str
    stream: str
    strategy: str
    state: str
    total: int
    done: int
    failed: dict[str, str]
    started_at: str
    stage: int = 1
    stages: int = 1
    phase: str = ""
    reason: str | None = None
    ended_at: str | None = None


class RolloutPage(msgspec.Struct, frozen=True):
    """Some rollouts, the newest first."""

    items: list[Rollout]


def describe(rollouts: Sequence[Rollout]) -> Text:
    """Return a line for each rollout, and one for each instance that it could not bring about."""
    if not rollouts:
        return Text("no rollouts since the daemon's start", "dim")
    text = Text(no_wrap=True, overflow="ellipsis")
    for rollout in rollouts:
        filled = _BAR if rollout.total == 0 else round(_BAR * rollout.done / rollout.total)
        colour = STATE_COLOURS.get(rollout.state, "yellow")
        text.append(f"{clock(rollout.started_at)} ", "dim").append(f"{rollout.id}  ")
        text.append("━" * filled, colour).append("─" * (_BAR - filled), "dim")
        text.append(f" {rollout.done}/{rollout.total} ").append(rollout.state, colour)
        text.append(f"  {rollout.stream} {rollout.strategy}")
        if rollout.stages > 1 and rollout.ended_at is None:
            text.append(f", batch {rollout.stage} of {rollout.stages} {rollout.phase}")
        text.append("\n")
        if rollout.reason is not None:
            text.append(f"         {visible(rollout.reason)}\n", "dim")
        for instance, reason in rollout.failed.items():
            text.append(f"         {instance}: {visible(reason)}\n", "red")
    text.right_crop(1)
    return text
