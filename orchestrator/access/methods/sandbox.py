"""`sandbox.*`: who is on the other side of the streams in the paper world."""

from __future__ import annotations

from typing import Any

from actors import ActorRef
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.fleet.messages import NotNow
from orchestrator.fleet.sandbox import ListFarSides
from streams.far_sides import FarSide

_ASK_S = 5.0


def register_sandbox(methods: Methods, sandbox: ActorRef[Any] | None) -> None:
    """Register the method; `sandbox` is the actor of that name, None where the daemon runs live."""

    @methods.register("sandbox.list")
    async def list_far_sides(params: NoParams, session: Session) -> tuple[FarSide, ...]:
        """List the paper world's servers: their addresses, and what one is known by there."""
        if sandbox is None:
            raise NotNow("the daemon runs live: there is no paper world")
        found: tuple[FarSide, ...] = await sandbox.ask(ListFarSides(), _ASK_S)
        return found
