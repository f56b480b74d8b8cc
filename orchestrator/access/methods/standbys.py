"""`fleet.standbys`: the pool that takes over from instances that fail again and again."""

from __future__ import annotations

from typing import Any

from actors import ActorRef
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.fleet.failover.failover import ListStandbys
from orchestrator.fleet.failover.view import StandbyList

_ASK_S = 5.0


def register_standbys(methods: Methods, failover: ActorRef[Any] | None) -> None:
    """Register the method; `failover` is None where the configuration has switched it off."""

    @methods.register("fleet.standbys")
    async def list_standbys(params: NoParams, session: Session) -> StandbyList:
        """List the pool's seats: standbys that wait for work, and bodies that cool down."""
        if failover is None:
            return StandbyList(0, 0, ())
        told: StandbyList = await failover.ask(ListStandbys(), _ASK_S)
        return told
