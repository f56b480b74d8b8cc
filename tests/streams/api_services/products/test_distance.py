from __future__ import annotations

import msgspec
import pytest

from tests.streams.api_services.conftest import Call


def measured(call: Call, *places: float) -> object:
    return call(
        "distance",
        from_latitude=places[0],
        from_longitude=places[1],
        to_latitude=places[2],
        to_longitude=places[3],
    )


# GeographicLib's documentation: JFK to LHR, Wellington to Salamanca (nearly antipodal).
@pytest.mark.parametrize(
    ("places", "distance_m", "initial", "final"),
    [
        ((40.6, -73.8, 51.6, -0.5), 5551759.400, 51.198883, 107.821777),
        ((-41.32, 174.81, 40.96, -5.50), 19959679.267, 161.06767, 18.825195),
    ],
)
def test_known_geodesics_are_measured(
    call: Call, places: tuple[float, ...], distance_m: float, initial: float, final: float
) -> None:
    answer = measured(call, *places)

    assert answer.distance_m == pytest.approx(distance_m, abs=0.001)  # type: ignore[attr-defined]
    assert answer.initial_bearing == pytest.approx(initial, abs=1e-5)  # type: ignore[attr-defined]
    assert answer.final_bearing == pytest.approx(final, abs=1e-5)  # type: ignore[attr-defined]


def test_a_quarter_meridian_is_that_of_wgs84(call: Call) -> None:
    answer = measured(call, 0, 0, 90, 0)

    assert answer.distance_m == pytest.approx(10_001_965.729, abs=0.001)  # type: ignore[attr-defined]


def test_the_midpoint_is_as_far_from_both_ends(call: Call) -> None:
    middle = measured(call, 52.5, 13.4, -33.9, 151.2).midpoint  # type: ignore[attr-defined]
    here = measured(call, 52.5, 13.4, middle.latitude, middle.longitude)
    there = measured(call, middle.latitude, middle.longitude, -33.9, 151.2)

    assert here.distance_m == pytest.approx(there.distance_m, abs=0.01)  # type: ignore[attr-defined]


def test_no_distance_is_a_distance(call: Call) -> None:
    assert measured(call, 1, 2, 1, 2).distance_m == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("places", [(90.1, 0, 0, 0), (0, 180.1, 0, 0), (0, 0, -91, 0)])
def test_places_off_the_earth_are_refused_when_decoded(call: Call, places: tuple[float, ...]) -> None:
    with pytest.raises(msgspec.ValidationError):
        measured(call, *places)
