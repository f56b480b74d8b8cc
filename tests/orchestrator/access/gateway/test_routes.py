from __future__ import annotations

import msgspec
import pytest

from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.access.gateway.routes import TABLE, Route, routes_of


class Id(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    instance: str


def methods() -> Methods:
    registry = Methods()

    @registry.register("system.ping")
    @registry.register("later.added")
    @registry.register("events.subscribe")
    def nothing(params: NoParams, session: Session) -> None:
        """Do nothing."""

    return registry


def test_no_two_methods_share_a_route_and_none_has_two() -> None:
    assert len({(route.verb, route.path) for route in TABLE}) == len(TABLE)
    assert len({route.method for route in TABLE}) == len(TABLE)


def test_a_method_that_the_table_does_not_name_has_a_route_and_an_absent_one_has_none() -> None:
    assert [route for route, _ in routes_of(methods())] == [
        Route("system.ping", "GET", "/system/ping"),
        Route("later.added", "POST", "/later/added"),
    ]


def test_a_route_names_only_what_its_method_takes() -> None:
    registry = Methods()

    @registry.register("fleet.get")
    def get(params: Id, session: Session) -> None:
        """Take another name."""

    with pytest.raises(ValueError, match=r"names \['id'\], which fleet.get does not take"):
        routes_of(registry)
