"""`fleet.*`, `rollout.*` and `chaos.*`: instances."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from actors import ActorRef
from config.fleet import Isolation
from orchestrator.access.dispatch import Methods, Session
from orchestrator.access.methods.system import Accepted
from orchestrator.fleet import messages
from orchestrator.fleet.messages import Action
from orchestrator.fleet.rolling.conductor import Decision
from orchestrator.fleet.rollout import Rollout, RolloutPage, Strategy
from orchestrator.fleet.view import InstancePage, InstanceState, InstanceView

_ASK_S = 10.0
_ACT_S = 29.0


class ListParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which instances."""

    stream: str | None = None
    state: InstanceState | None = None
    limit: int = 100
    cursor: str | None = None


class IdParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which instance."""

    id: str


class DeployParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to deploy."""

    stream: str
    count: int
    strategy: Strategy = "full"
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    isolation: Isolation | None = None


class ConfigureParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose settings to change, and how."""

    stream: str
    settings: dict[str, Any]
    strategy: Strategy = "canary"


class ScaleParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many instances of a stream."""

    stream: str
    to: int


class ActParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an instance is asked to do: one of its `actions`, see `fleet.get`."""

    id: str
    action: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class RolloutParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rollout."""

    rollout: str


class RolloutListParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many rollouts, and which one they began before."""

    limit: Annotated[int, msgspec.Meta(ge=1)] = 20
    cursor: str | None = None


def register_fleet(methods: Methods, fleet: ActorRef[Any]) -> None:
    """Register the methods; `fleet` is the deployment manager."""

    @methods.register("fleet.list")
    async def list_instances(params: ListParams, session: Session) -> InstancePage:
        """List instances, in order of their ports."""
        asked = messages.ListInstances(params.stream, params.state, params.limit, params.cursor)
        page: InstancePage = await fleet.ask(asked, _ASK_S)
        return page

    @methods.register("fleet.get")
    async def get(params: IdParams, session: Session) -> InstanceView:
        """Describe an instance."""
        view: InstanceView = await fleet.ask(messages.GetInstance(params.id), _ASK_S)
        return view

    @methods.register("fleet.deploy")
    async def deploy(params: DeployParams, session: Session) -> str:
        """Add instances of a stream; returns the id of the rollout that does it, see `rollout.status`."""
        asked = messages.Deploy(params.stream, params.count, params.strategy, params.settings, params.isolation)
        rollout: str = await fleet.ask(asked, _ACT_S)
        return rollout

    @methods.register("fleet.configure")
    async def configure(params: ConfigureParams, session: Session) -> str:
        """Give all instances of a stream other settings, in batches that are judged; returns the rollout's id.

        Where a batch is worse than the instances beside it, all get their former settings back.
        """
        asked = messages.Configure(params.stream, params.settings, params.strategy)
        rollout: str = await fleet.ask(asked, _ACT_S)
        return rollout

    @methods.register("fleet.scale")
    async def scale(params: ScaleParams, session: Session) -> str:
        """Bring a stream to a number of instances; returns the rollout's id."""
        rollout: str = await fleet.ask(messages.Scale(params.stream, params.to), _ACT_S)
        return rollout

    async def act(instance: str, action: Action) -> InstanceView:
        view: InstanceView = await fleet.ask(messages.Command(instance, action), _ACT_S)
        return view

    @methods.register("fleet.stop")
    async def stop(params: IdParams, session: Session) -> InstanceView:
        """Stop an instance; it stays stopped until it is started by hand."""
        return await act(params.id, "stop")

    @methods.register("fleet.start")
    async def start(params: IdParams, session: Session) -> InstanceView:
        """Start an instance that was stopped, or that gave up."""
        return await act(params.id, "start")

    @methods.register("fleet.restart")
    async def restart(params: IdParams, session: Session) -> InstanceView:
        """Restart an instance, with a fresh restart budget."""
        return await act(params.id, "restart")

    @methods.register("fleet.pause")
    async def pause(params: IdParams, session: Session) -> InstanceView:
        """Have an instance take no new work."""
        return await act(params.id, "pause")

    @methods.register("fleet.resume")
    async def resume(params: IdParams, session: Session) -> InstanceView:
        """Have an instance take work again."""
        return await act(params.id, "resume")

    @methods.register("fleet.act")
    async def perform(params: ActParams, session: Session) -> Any:
        """Have an instance do one of its stream's own actions; returns what that shows."""
        return await fleet.ask(messages.Act(params.id, params.action, params.arguments), _ACT_S)

    @methods.register("rollout.list")
    async def list_rollouts(params: RolloutListParams, session: Session) -> RolloutPage:
        """List the rollouts, the newest first; the oldest are forgotten in time."""
        page: RolloutPage = await fleet.ask(messages.ListRollouts(params.limit, params.cursor), _ASK_S)
        return page

    @methods.register("rollout.status")
    async def rollout_status(params: RolloutParams, session: Session) -> Rollout:
        """Tell how a rollout goes."""
        rollout: Rollout = await fleet.ask(messages.GetRollout(params.rollout), _ASK_S)
        return rollout

    async def decide(rollout: str, decision: Decision) -> Rollout:
        decided: Rollout = await fleet.ask(messages.DecideRollout(rollout, decision), _ACT_S)
        return decided

    @methods.register("rollout.promote")
    async def promote(params: RolloutParams, session: Session) -> Rollout:
        """Have a rollout go on to its next batch, whatever is known of the present one."""
        return await decide(params.rollout, "promote")

    @methods.register("rollout.abort")
    async def abort(params: RolloutParams, session: Session) -> Rollout:
        """Take a rollout back: its instances get their former settings, or go if they were added."""
        return await decide(params.rollout, "abort")

    @methods.register("chaos.crash")
    async def crash(params: IdParams, session: Session) -> Accepted:
        """Crash an instance, to see what follows."""
        await fleet.ask(messages.Disturb(params.id, "crash"), _ASK_S)
        return Accepted()

    @methods.register("chaos.freeze")
    async def freeze(params: IdParams, session: Session) -> Accepted:
        """Freeze an instance, to see what follows."""
        await fleet.ask(messages.Disturb(params.id, "freeze"), _ASK_S)
        return Accepted()
