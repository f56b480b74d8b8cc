"""`fleet_config.json`: which streams run, how many instances of each, and where they listen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from config.auto_scaling import AutoScaling, ScaledCount, SetBy, scaling_faults
from config.errors import Fault
from config.health_monitoring import HealthMonitoring, health_faults
from config.isolation import ProcessLimits, isolation_faults
from config.names import Name
from config.profit import ProfitMaximizing, profit_faults
from config.revenue_report import RevenueReporting
from config.rollouts import RollingOut, rollout_faults

Mode: TypeAlias = Literal["sandbox", "live"]
"""Whether the far side is the daemon's own paper world or the real one."""

Isolation: TypeAlias = Literal["actor", "process"]
"""Where an instance runs: on the daemon's loop, or in a child process with limits of its own."""

Host: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=253,
        pattern=r"^[0-9A-Za-z:._-]+$(?!\n)",
        description="an IP address or a host's name",
    ),
]
"""Where to listen."""

MULTIPLIERS: Mapping[str, float] = MappingProxyType(
    {
        "crypto_arbitrage": 2.5,
        "data_harvesting": 1.8,
        "content_monetization": 2.2,
        "api_services": 3.0,
        "affiliate_marketing": 2.8,
    }
)
"""What a unit of resource is expected to earn before there is evidence, by stream."""

UNKNOWN_MULTIPLIER = 1.0
"""The multiplier of a stream that nothing is known of (a plugin's)."""

DEFAULT_COUNT = 20
"""Instances of a stream unless the file says otherwise."""

_HIGHEST_PORT = 65_535


class StreamPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted of one stream.

    Attributes:
        count: Instances that run.
        multiplier: The stream's prior weight. It never multiplies money.
        isolation: Where its instances run.
        settings: What the stream's default settings are overlaid with; the stream validates it.
        scale_min: The auto-scaler never goes below this; null for the count that a person set last.
        scale_max: It never goes above this; null for the same.
        scaled: The count that it set last, beside the one that a person had set.
    """

    count: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = DEFAULT_COUNT
    multiplier: Annotated[float, msgspec.Meta(gt=0, le=1000)] = UNKNOWN_MULTIPLIER
    isolation: Isolation = "actor"
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    scale_min: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    scale_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    scaled: ScaledCount | None = None

    @property
    def count_by_hand(self) -> int:
        """The count that a person set last, whatever the auto-scaler has made of it since."""
        if self.scaled is not None and self.scaled.count == self.count:
            return self.scaled.by_hand
        return self.count


def plan_patch(plan: StreamPlan | None, count: int, by: SetBy) -> dict[str, Any]:
    """Return the merge patch that stores a stream's new count.

    Args:
        plan: The stream's plan so far; None where the file does not name it.
        count: The new count.
        by: Who sets it. What a person sets is from then on the count by hand.
    """
    if by == "hand" or plan is None:
        return {"count": count, "scaled": None}
    return {"count": count, "scaled": {"by_hand": plan.count_by_hand, "count": count}}


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fleet, and what the daemon as a whole needs.

    Attributes:
        mode: The paper world, or the real one.
        port_base: Instance n listens on this port plus n.
        chaos: Allow `chaos.crash` and `chaos.freeze`.
        host: The address that instances listen on.
        seed: The seed of everything random in the sandbox.
        control_group: The system group whose members may use the control socket besides owner and root.
        gateway_enabled: Whether the HTTP gateway runs.
        gateway_host: The address that it listens on.
        gateway_port: The port that it listens on; null for `port_base`.
        gateway_names: Host names that it is known by, besides addresses and `localhost`: those of a proxy before it.
        sandbox_calls_per_minute: What the sandbox's customers call each instance with; 15 is five calls a
            second over 20 instances.
        stop_deadline_s: Seconds that a graceful stop may take before what is left is cancelled.
        log_max_bytes: Size at which `log/automate.jsonl` is rotated.
        instance_log_max_bytes: Size at which an instance's `instance.jsonl` is rotated.
        log_files_kept: Rotated files that are kept of each log.
        health: How services and instances are looked at, and who is told.
        isolation: What an instance in a process of its own may use.
        report: What the reports of revenue say, and how often they are made.
        scaling: When the fleet grows and shrinks by itself.
        profit: How what instances share is divided by what they earn.
        rollouts: In what steps instances are changed, and by what the change is judged.
        streams: The plan of each stream. A stream that is not named here does not run.
    """

    mode: Mode = "sandbox"
    port_base: Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST_PORT)] = 7800
    chaos: bool = False
    host: Host = "127.0.0.1"
    seed: Annotated[int, msgspec.Meta(ge=0)] = 1
    control_group: Name | None = None
    gateway_enabled: bool = True
    gateway_host: Host = "127.0.0.1"
    gateway_port: Annotated[int, msgspec.Meta(ge=1, le=_HIGHEST_PORT)] | None = None
    gateway_names: tuple[Host, ...] = ()
    sandbox_calls_per_minute: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 15
    stop_deadline_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 20
    log_max_bytes: Annotated[int, msgspec.Meta(ge=65_536, le=2**40)] = 16 * 1024 * 1024
    instance_log_max_bytes: Annotated[int, msgspec.Meta(ge=65_536, le=2**40)] = 1024 * 1024
    log_files_kept: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    health: HealthMonitoring = HealthMonitoring()
    isolation: ProcessLimits = ProcessLimits()
    report: RevenueReporting = RevenueReporting()
    scaling: AutoScaling = AutoScaling()
    profit: ProfitMaximizing = ProfitMaximizing()
    rollouts: RollingOut = RollingOut()
    streams: dict[Name, StreamPlan] = msgspec.field(default_factory=dict)


def multipliers_of(streams: Iterable[str]) -> dict[str, float]:
    """Return the multiplier of each stream by name: what `ConfigStore` takes, where nothing else is known."""
    return {name: MULTIPLIERS.get(name, UNKNOWN_MULTIPLIER) for name in streams}


def default_fleet(streams: Mapping[str, float]) -> Fleet:
    """Return the fleet of a first start: `DEFAULT_COUNT` instances of every stream that exists.

    Args:
        streams: The multiplier of each stream of this installation.
    """
    return Fleet(streams={name: StreamPlan(multiplier=weight) for name, weight in streams.items()})


def complete_fleet(document: object, streams: Mapping[str, float]) -> object:
    """Return a valid file's content with what it leaves open and a struct's defaults cannot know.

    Where `streams` is absent, all streams of the installation run; where a stream's plan has no
    multiplier, it gets that stream's own.
    """
    if not isinstance(document, dict):
        return document
    if "streams" not in document:
        return {**document, "streams": msgspec.to_builtins(default_fleet(streams).streams)}
    plans = {
        name: {**plan, "multiplier": plan.get("multiplier", streams.get(name, UNKNOWN_MULTIPLIER))}
        for name, plan in document["streams"].items()
    }
    return {**document, "streams": plans}


def at_rest(document: object) -> set[str]:
    """Return the streams of which a file wants no instance: they need not be installed any more."""
    plans = document.get("streams") if isinstance(document, dict) else None
    if not isinstance(plans, dict):
        return set()
    return {name for name, plan in plans.items() if isinstance(plan, dict) and plan.get("count") == 0}


def fleet_faults(fleet: Fleet) -> Iterator[Fault]:
    """Yield what is wrong between values that are right each by itself."""
    yield from port_faults(fleet)
    yield from health_faults(fleet.health, "$.health")
    yield from isolation_faults(fleet.isolation, "$.isolation")
    yield from scaling_faults(fleet.scaling, "$.scaling")
    yield from profit_faults(fleet.profit, "$.profit")
    yield from rollout_faults(fleet.rollouts, "$.rollouts")
    yield from bound_faults(fleet.streams)


def bound_faults(streams: Mapping[str, StreamPlan]) -> Iterator[Fault]:
    """Yield a fault where a stream's bounds of scaling leave no count between them."""
    for name, plan in streams.items():
        if plan.scale_min is not None and plan.scale_max is not None and plan.scale_min > plan.scale_max:
            yield Fault(f"$.streams.{name}.scale_min", f"at most scale_max ({plan.scale_max})", str(plan.scale_min))


def port_faults(fleet: Fleet) -> Iterator[Fault]:
    """Yield a fault where the fleet has more instances than there are ports above its base."""
    total = sum(plan.count for plan in fleet.streams.values())
    if fleet.port_base + total > _HIGHEST_PORT:
        yield Fault(
            "$.port_base",
            f"at most {_HIGHEST_PORT - total}, so that {total} instances have a port each",
            str(fleet.port_base),
        )
    if fleet.gateway_port is not None and fleet.port_base < fleet.gateway_port <= fleet.port_base + total:
        yield Fault(
            "$.gateway_port",
            f"a port that no instance has; theirs are {fleet.port_base + 1} to {fleet.port_base + total}",
            str(fleet.gateway_port),
        )
