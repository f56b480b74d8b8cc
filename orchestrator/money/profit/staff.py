"""Who there is to divide among: the instances of the fleet, as the deployment manager sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from actors import ActorError, ActorRef
from orchestrator.fleet.messages import ListInstances
from orchestrator.money.profit.planning import Member

_ASK_S: Final = 10.0
_PAGE: Final = 1000
_AT_WORK: Final = frozenset(("ready", "starting", "restarting", "paused"))


class FleetFailed(ActorError):
    """The deployment manager failed over a request, which is its own affair and its supervisor's."""


class Seen(NamedTuple):
    """An instance of the fleet; who does not work has no share."""

    id: str
    stream: str
    works: bool


async def look_at_fleet(fleet: ActorRef[Any]) -> list[Seen]:
    """Return the instances of the fleet.

    Raises:
        ActorError: The deployment manager does not answer.
    """
    found: list[Seen] = []
    cursor: str | None = None
    while True:
        try:
            page = await fleet.ask(ListInstances(None, None, _PAGE, cursor), _ASK_S)
        except ActorError:
            raise
        except Exception as error:  # an ask passes on whatever the other side failed with
            raise FleetFailed(f"{type(error).__name__}: {error}") from error
        found += [Seen(row.id, row.stream, row.state in _AT_WORK) for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def budgets_of(rows: list[Seen], had: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return what each instance of the fleet had, by stream and id."""
    budgets: dict[str, dict[str, float]] = {}
    for row in rows:
        budgets.setdefault(row.stream, {})[row.id] = had.get(row.id, 0.0)
    return budgets


def members_of(rows: list[Seen], shares: Mapping[str, float]) -> list[Member]:
    """Return those that work, with their shares so far."""
    return [Member(row.id, row.stream, shares.get(row.id)) for row in rows if row.works]
