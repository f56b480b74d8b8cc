"""What has to change for a stream to have so many instances."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.fleet.messages import NotAsAsked, NotNow
from orchestrator.fleet.plan import HIGHEST_PORT, Change, plan_count
from orchestrator.fleet.record import Record
from tests.orchestrator.fleet.fakes import Careless, Stall, StallSettings

Records = dict[str, Record]


def plan(records: Records, wanted: int, overlay: dict[str, object] | None = None, base: int = 7000) -> Change:
    return plan_count(records, "stall", Stall, wanted, port_base=base, overlay=overlay or {})


def applied(records: Records, change: Change) -> Records:
    return {**records, **{record.id: record for record in (*change.start, *change.retire)}}


def active(records: Records) -> list[str]:
    return [record.id for record in records.values() if record.active]


@given(st.lists(st.integers(0, 12), min_size=1, max_size=8))
def test_after_each_plan_there_are_as_many_as_wanted_and_every_port_is_its_own_for_ever(counts: list[int]) -> None:
    records: Records = {}
    ports: dict[str, int] = {}
    for wanted in counts:
        records = applied(records, plan(records, wanted))
        assert len(active(records)) == wanted
        for record in records.values():
            assert ports.setdefault(record.id, record.port) == record.port
        assert len({record.port for record in records.values()}) == len(records)
        assert len({record.settings["name"] for record in records.values()}) == len(records)


def test_nothing_changes_where_there_are_as_many_as_wanted() -> None:
    records = applied({}, plan({}, 3))
    assert plan(records, 3) == Change()


def test_a_stopped_instance_counts_as_part_of_the_fleet() -> None:
    records = applied({}, plan({}, 2))
    records["stall-001"] = msgspec.structs.replace(records["stall-001"], desired="stopped")
    assert plan(records, 2) == Change()


def test_ports_of_other_streams_are_left_alone() -> None:
    other = Record("other-001", "other", 1, 7002)
    change = plan({other.id: other}, 2)
    assert [record.port for record in change.start] == [7001, 7003]


def test_an_overlay_changes_what_it_names_and_is_validated() -> None:
    (record,) = plan({}, 1, {"price": 9}).start
    assert record.settings == {"name": "stall 1", "price": 9, "fails": False}
    with pytest.raises(NotAsAsked, match="pric"):
        plan({}, 1, {"pric": 9})


def test_more_instances_than_ports_are_refused() -> None:
    with pytest.raises(NotAsAsked, match="free ports"):
        plan({}, 2, base=HIGHEST_PORT - 1)


def test_ids_that_are_reserved_are_passed_over() -> None:
    change = plan_count({}, "stall", Stall, 2, port_base=7000, overlay={}, reserved={"stall-001", "stall-003"})
    assert [record.id for record in change.start] == ["stall-002", "stall-004"]
    assert [record.settings["name"] for record in change.start] == ["stall 2", "stall 4"]


def test_a_blueprint_that_fails_or_is_too_short_is_the_streams_own_fault() -> None:
    class Short(Stall):
        @classmethod
        def blueprint(cls, n: int) -> list[StallSettings]:
            return [StallSettings("the only one")]

    with pytest.raises(NotNow, match="'careless' cannot make its blueprint: ZeroDivisionError"):
        plan_count({}, "careless", Careless, 1, port_base=7000, overlay={})
    with pytest.raises(NotNow, match="does not have the 2 settings"):
        plan_count({}, "short", Short, 2, port_base=7000, overlay={})


def test_what_comes_back_takes_the_settings_that_are_asked_for() -> None:
    records = applied({}, plan({}, 2))
    records = applied(records, plan(records, 1))
    change = plan_count(records, "stall", Stall, 3, port_base=7000, overlay={"price": 5}, asked={"price": 9})
    assert [(record.id, record.settings["price"]) for record in change.start] == [("stall-002", 9), ("stall-003", 9)]
    back = plan_count(records, "stall", Stall, 2, port_base=7000, overlay={"price": 5}).start
    assert [record.settings["price"] for record in back] == [1]
