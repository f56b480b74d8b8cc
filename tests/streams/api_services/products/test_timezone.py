from __future__ import annotations

import pytest

from streams.api_services.product import ProductError
from tests.streams.api_services.conftest import Call


def test_a_local_time_is_told_in_another_zone(call: Call) -> None:
    answer = call("timezone", target="America/New_York", source="Europe/Berlin", at="2026-07-01T09:30:00")

    assert answer.target.time.isoformat() == "2026-07-01T03:30:00-04:00"
    assert answer.source.abbreviation == "CEST"
    assert answer.target.abbreviation == "EDT"
    assert answer.target.utc_offset_s == -14_400
    assert answer.target.daylight_saving
    assert answer.local_time == "exact"


def test_between_the_changes_of_two_continents_the_distance_differs(call: Call) -> None:
    # The United States change on 8 March 2026, Europe on 29 March.
    answer = call("timezone", target="America/New_York", source="Europe/Berlin", at="2026-03-15T12:00:00")

    assert answer.target.time.isoformat() == "2026-03-15T07:00:00-04:00"


def test_an_offset_in_the_time_goes_before_the_zone(call: Call) -> None:
    answer = call("timezone", target="UTC", source="Asia/Tokyo", at="2026-01-01T00:00:00+05:30")

    assert answer.utc.isoformat() == "2025-12-31T18:30:00+00:00"


def test_a_time_that_comes_twice_is_the_first_and_said_to_be(call: Call) -> None:
    answer = call("timezone", target="UTC", source="Europe/Berlin", at="2026-10-25T02:30:00")

    assert answer.local_time == "ambiguous"
    assert answer.utc.isoformat() == "2026-10-25T00:30:00+00:00"


def test_a_time_that_never_comes_is_moved_on_and_said_to_be(call: Call) -> None:
    answer = call("timezone", target="UTC", source="Europe/Berlin", at="2026-03-29T02:30:00")

    assert answer.local_time == "skipped"
    assert answer.source.time.isoformat() == "2026-03-29T03:30:00+02:00"


def test_now_is_told_where_no_time_is_given(call: Call) -> None:
    answer = call("timezone", target="Asia/Kathmandu")

    assert answer.target.time.isoformat() == "2026-03-01T17:45:00+05:45"


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "America", "localtime", "/UTC"])
def test_only_names_of_the_database_are_zones(call: Call, name: str) -> None:
    with pytest.raises(ProductError) as caught:
        call("timezone", target=name)

    assert caught.value.field == "target"


def test_years_that_are_not_told_exactly_are_refused(call: Call) -> None:
    with pytest.raises(ProductError, match="1973"):
        call("timezone", target="UTC", at="1900-01-01T00:00:00Z")
