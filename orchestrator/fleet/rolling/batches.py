"""In what batches instances are changed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from config.rollouts import RollingOut
from orchestrator.fleet.rolling.journal import Batch
from orchestrator.fleet.rollout import Strategy


def batches_to_add(strategy: Strategy, count: int, rules: RollingOut) -> tuple[Batch, ...]:
    """Return the batches in which so many instances are added; their ids are not known yet."""
    if strategy == "canary":
        first = min(rules.canary_count, count)
        rest = count - first
        return (Batch(first, judged=True), Batch(rest, judged=False)) if rest else (Batch(first, judged=True),)
    sizes = _sizes(strategy, count, rules)
    return tuple(Batch(size, judged=strategy == "staged") for size in sizes)


def batches_to_change(strategy: Strategy, instances: Sequence[str], rules: RollingOut) -> tuple[Batch, ...]:
    """Return the batches in which these instances are changed.

    Of a canary, at least one instance stays as it is, to be compared with, if there is more than one.
    """
    count = len(instances)
    if strategy == "canary":
        first = min(rules.canary_count, max(1, count - 1))
        sizes = [first, count - first] if count > first else [first]
    else:
        sizes = _sizes(strategy, count, rules)
    batches: list[Batch] = []
    start = 0
    for place, size in enumerate(sizes):
        judged = strategy == "staged" or (strategy == "canary" and place == 0)
        batches.append(Batch(size, judged, tuple(instances[start : start + size])))
        start += size
    return tuple(batches)


def _sizes(strategy: Strategy, count: int, rules: RollingOut) -> list[int]:
    size = count if strategy == "full" else rules.batch_count
    return [min(size, count - start) for start in range(0, count, size)]
