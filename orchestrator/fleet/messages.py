"""What the deployment manager is asked."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from actors import Message, Refusal, Request
from config.auto_scaling import SetBy
from config.fleet import Isolation
from orchestrator.fleet.rollout import Rollout, RolloutPage, Strategy
from orchestrator.fleet.view import FleetSummary, InstancePage, InstanceState, InstanceView
from streams.metering.selling import KeyInfo, NewKey

Action: TypeAlias = Literal["stop", "start", "restart", "pause", "resume"]


class Deploy(Request[str], frozen=True):
    """Add instances; answered with the rollout's id at once.

    Attributes:
        stream: Of which stream.
        count: How many.
        strategy: How.
        settings: What the stream's blueprint is overlaid with.
        isolation: Where they run; None for where the stream's configuration says.
    """

    stream: str
    count: int
    strategy: Strategy = "full"
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    isolation: Isolation | None = None


class Configure(Request[str], frozen=True):
    """Give all instances of a stream other settings; answered with the rollout's id at once.

    Attributes:
        stream: Of which stream.
        settings: What their present settings are overlaid with.
        strategy: How.
    """

    stream: str
    settings: dict[str, Any]
    strategy: Strategy = "canary"


class DecideRollout(Request[Rollout], frozen=True):
    """Have a rollout go on, whatever is known of its batch, or be taken back; answered when that has begun."""

    id: str
    decision: Literal["promote", "abort"]


class Scale(Request[str], frozen=True):
    """Bring a stream to so many instances; answered with the rollout's id at once.

    Attributes:
        stream: Which stream.
        to: How many.
        by: Who wants it. What a person sets is the auto-scaler's floor from then on.
        only_from: Refused unless the stream has so many now: what was decided of another count is out of date.
    """

    stream: str
    to: int
    by: SetBy = "hand"
    only_from: int | None = None

    def wanted(self, active: int) -> int:
        """Return the count that is wanted, where the stream has so many; raises `NotNow` where it is out of date."""
        if self.only_from is not None and active != self.only_from:
            raise NotNow(f"{self.stream} has {active} instances by now, and not {self.only_from}")
        return self.to


class Reconcile(Message, frozen=True):
    """The configuration was changed: bring every stream to the count that it names now."""


class Command(Request[InstanceView], frozen=True):
    """Do something with one instance; answered when it is done."""

    id: str
    action: Action


class Act(Request[Any], frozen=True):
    """Have an instance do one of its stream's own actions; answered with what that shows.

    Attributes:
        id: Which instance.
        action: The action's name.
        arguments: Its arguments, as JSON has them.
    """

    id: str
    action: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class ListInstances(Request[InstancePage], frozen=True):
    """A page of the fleet, in order of ports."""

    stream: str | None = None
    state: InstanceState | None = None
    limit: int = 100
    cursor: str | None = None


class GetInstance(Request[InstanceView], frozen=True):
    """All of one instance."""

    id: str


class Summarise(Request[FleetSummary], frozen=True):
    """The fleet in numbers."""


class GetRollout(Request[Rollout], frozen=True):
    """How a rollout goes."""

    id: str


class ListRollouts(Request[RolloutPage], frozen=True):
    """A page of the rollouts, the newest first."""

    limit: int = 20
    cursor: str | None = None


class CreateInstanceKey(Request[NewKey], frozen=True):
    """Make a key of an instance."""

    instance: str
    plan: str | None = None
    quota: int | None = None
    rate: float | None = None
    credit: str | None = None
    label: str = ""
    own: bool = False


class ListInstanceKeys(Request[tuple[KeyInfo, ...]], frozen=True):
    """The keys of an instance."""

    instance: str


class RevokeInstanceKey(Request[None], frozen=True):
    """Revoke a key of an instance."""

    instance: str
    id: str


class Disturb(Request[None], frozen=True):
    """Crash or freeze an instance, to see what follows."""

    id: str
    how: Literal["crash", "freeze"]


class NotFound(Refusal):
    """There is no such thing."""

    rpc_code = -32001


class NotNow(Refusal):
    """It cannot be done in this state."""

    rpc_code = -32002


class NotAsAsked(Refusal):
    """What was asked for is not valid."""

    rpc_code = -32602
