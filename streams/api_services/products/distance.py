"""Distance and bearing between two places on the Earth."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec

from streams.api_services.product import Input, Output, Product

Latitude: TypeAlias = Annotated[float, msgspec.Meta(ge=-90, le=90, description="Degrees north; negative is south.")]
Longitude: TypeAlias = Annotated[float, msgspec.Meta(ge=-180, le=180, description="Degrees east; negative is west.")]


class DistanceRequest(Input, frozen=True):
    """Two places, in degrees on WGS 84."""

    from_latitude: Latitude
    from_longitude: Longitude
    to_latitude: Latitude
    to_longitude: Longitude


class Place(Output, frozen=True):
    """A point on WGS 84."""

    latitude: float
    longitude: float


class DistanceResponse(Output, frozen=True):
    """Along the shortest path; bearings in degrees from north, clockwise, 0 to below 360."""

    distance_m: float
    initial_bearing: float
    final_bearing: float
    midpoint: Place


def _run(request: DistanceRequest, now: datetime) -> DistanceResponse:
    from geographiclib.geodesic import Geodesic  # type: ignore[import-untyped]

    line = Geodesic.WGS84.InverseLine(
        request.from_latitude, request.from_longitude, request.to_latitude, request.to_longitude
    )
    middle = line.Position(line.s13 / 2)
    end = line.Position(line.s13)
    return DistanceResponse(
        distance_m=round(line.s13, 3),
        initial_bearing=_bearing(line.azi1),
        final_bearing=_bearing(end["azi2"]),
        midpoint=Place(latitude=round(middle["lat2"], 9), longitude=round(middle["lon2"], 9)),
    )


def _bearing(azimuth: float) -> float:
    return round(azimuth % 360, 6) % 360


DISTANCE_PRODUCT = Product(
    name="distance",
    title="Geodesic distance",
    summary="Measure distance and bearing between two coordinates.",
    description=(
        "Karney's solution of the geodesic problem on WGS 84, exact to nanometres for all points, antipodes "
        "included; distance in metres, bearings at both ends, and the midpoint."
    ),
    request=DistanceRequest,
    response=DistanceResponse,
    run=_run,
    example=DistanceRequest(from_latitude=52.5186, from_longitude=13.4081, to_latitude=48.8583, to_longitude=2.2945),
)
