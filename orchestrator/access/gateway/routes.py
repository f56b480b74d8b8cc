"""Which route leads to which method: the one table of the REST interface.

A method that is not named here has a route all the same, `POST /api/v1/<its name with slashes>`; an entry whose
method this daemon does not have makes no route.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from orchestrator.access.dispatch import Method

PREFIX: Final = "/api/v1"

Verb: TypeAlias = Literal["GET", "POST"]

_PLACE: Final = re.compile(r"\{(\w+)\}")


class Route(msgspec.Struct, frozen=True):
    """A way to a method.

    Attributes:
        method: The method's name.
        verb: `GET` where it only reads: its parameters stand in the query. `POST` where it does something: they stand
            in the body, a JSON object.
        path: Where, below `PREFIX`. A parameter in braces stands in the path instead.
        listed: Whether the OpenAPI document tells of it.
    """

    method: str
    verb: Verb
    path: str
    listed: bool = True

    @property
    def places(self) -> tuple[str, ...]:
        """The parameters that stand in the path."""
        return tuple(_PLACE.findall(self.path))


TABLE: Final = (
    Route("system.ping", "GET", "/system/ping"),
    Route("system.status", "GET", "/system/status"),
    Route("system.vitals", "GET", "/system/vitals"),
    Route("system.tree", "GET", "/system/tree"),
    Route("system.reload", "POST", "/system/reload"),
    # The document is read by programs that try whatever it tells of.
    Route("system.shutdown", "POST", "/system/shutdown", listed=False),
    Route("fleet.list", "GET", "/fleet/instances"),
    Route("fleet.standbys", "GET", "/fleet/standbys"),
    Route("fleet.get", "GET", "/fleet/instances/{id}"),
    Route("fleet.stop", "POST", "/fleet/instances/{id}/stop"),
    Route("fleet.start", "POST", "/fleet/instances/{id}/start"),
    Route("fleet.restart", "POST", "/fleet/instances/{id}/restart"),
    Route("fleet.pause", "POST", "/fleet/instances/{id}/pause"),
    Route("fleet.resume", "POST", "/fleet/instances/{id}/resume"),
    Route("fleet.act", "POST", "/fleet/instances/{id}/actions/{action}"),
    Route("chaos.crash", "POST", "/fleet/instances/{id}/crash"),
    Route("chaos.freeze", "POST", "/fleet/instances/{id}/freeze"),
    Route("keys.list", "GET", "/fleet/instances/{instance}/keys"),
    Route("keys.create", "POST", "/fleet/instances/{instance}/keys"),
    Route("keys.revoke", "POST", "/fleet/instances/{instance}/keys/revoke"),
    Route("fleet.deploy", "POST", "/fleet/deploy"),
    Route("fleet.configure", "POST", "/fleet/configure"),
    Route("fleet.scale", "POST", "/fleet/scale"),
    Route("rollout.list", "GET", "/rollouts"),
    Route("rollout.status", "GET", "/rollouts/{rollout}"),
    Route("rollout.promote", "POST", "/rollouts/{rollout}/promote"),
    Route("rollout.abort", "POST", "/rollouts/{rollout}/abort"),
    Route("sandbox.list", "GET", "/sandbox"),
    Route("ledger.totals", "GET", "/ledger/totals"),
    Route("ledger.entries", "GET", "/ledger/entries"),
    # What it is called where it comes from may have slashes, which have no place in a path.
    Route("ledger.why", "GET", "/ledger/why"),
    Route("ledger.verify", "POST", "/ledger/verify"),
    Route("profit.plan", "GET", "/profit/plan"),
    Route("profit.run", "POST", "/profit/run"),
    Route("profit.history", "GET", "/profit/history"),
    Route("profit.explain", "GET", "/profit/explain/{instance}"),
    Route("scaling.status", "GET", "/scaling"),
    Route("scaling.history", "GET", "/scaling/history"),
    Route("health.report", "GET", "/health"),
    Route("workflows.list", "GET", "/workflows"),
    Route("workflows.history", "GET", "/workflows/history"),
    Route("workflows.run", "POST", "/workflows/run"),
    Route("repos.list", "GET", "/repos"),
    Route("repos.create", "POST", "/repos"),
    Route("pipeline.status", "GET", "/pipeline"),
    Route("pipeline.run", "POST", "/pipeline/run"),
    Route("config.get", "GET", "/config"),
    Route("config.set", "POST", "/config/{section}"),
    Route("logs.tail", "GET", "/logs"),
    Route("rpc.discover", "GET", "/rpc/discover"),
)

ELSEWHERE: Final = frozenset({"events.subscribe"})
"""Methods that need a connection to tell later; `GET /api/v1/events` is their like."""


def routes_of(methods: Iterable[Method]) -> list[tuple[Route, Method]]:
    """Return the route of each method, in the order of the table, then those that it does not name."""
    by_name = {method.name: method for method in methods if method.name not in ELSEWHERE}
    found = [(route, by_name.pop(route.method)) for route in TABLE if route.method in by_name]
    found += [(Route(name, "POST", f"/{name.replace('.', '/')}"), method) for name, method in sorted(by_name.items())]
    for route, method in found:
        fields = method.params.__struct_encode_fields__
        if missing := [place for place in route.places if place not in fields]:
            raise ValueError(f"{route.path} names {missing}, which {method.name} does not take; it takes {fields}")
    return found
