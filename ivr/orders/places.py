"""Places on the earth. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import asin, cos, radians, sin, sqrt

EARTH_KM = 6371.0088
"""Mean radius (IUGG)."""


@dataclass(frozen=True, slots=True)
class Place:
    """In degrees; latitude north, longitude east."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        """Raises ValueError for what is not on the earth."""
        # NaN fails every comparison, so it is not in either
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            raise ValueError(f"{self.latitude}, {self.longitude} is not on the earth")


def distance_km(one: Place, other: Place) -> float:
    """Along the great circle (haversine formula, sound for short ways too)."""
    north = radians(other.latitude - one.latitude)
    east = radians(other.longitude - one.longitude)
    half = (
        sin(north / 2) ** 2
        + cos(radians(one.latitude)) * cos(radians(other.latitude)) * sin(east / 2) ** 2
    )
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def read_place(latitude: str, longitude: str) -> tuple[float, float] | None:
    """Degrees north and east as they were typed; None where both are empty. Raises ValueError."""
    if not latitude.strip() and not longitude.strip():
        return None
    try:
        place = Place(float(latitude), float(longitude))
    except ValueError as error:
        raise ValueError(
            f"{latitude!r}, {longitude!r} is not a place: latitude (degrees north, -90 to 90) and"
            " longitude (degrees east, -180 to 180) are needed, such as 31.3123 and 120.6321"
        ) from error
    return place.latitude, place.longitude
