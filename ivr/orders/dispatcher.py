"""Who should do an order: the nearest provider that offers the service and has room that day.

Pure: values in, a ranked list out. It proposes and does not decide: an operator may send the order
to any provider, also to one that is not fit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ivr.orders.places import Place, distance_km

FULL_DAY_KM = 2.0
"""How many kilometres nearer a provider with a full day must be to come before an idle one: work
is shared out among neighbours, without sending anybody across the town for it."""


class Unfit(StrEnum):
    """Why a provider is not proposed."""

    DECLINED = "declined"
    """It has said that it cannot do this order."""
    TOO_FAR = "too_far"
    FULL = "full"
    ELSEWHERE = "elsewhere"
    """Where the elder lives is only known by district, and it is not the provider's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider that offers the service."""

    id: int
    name: str
    place: Place
    district: str
    radius_km: float
    orders_a_day: int
    orders: int
    """That it has already for the day."""
    declined: bool
    usual: bool = False
    """It does this standing order each time, wherever it is."""


@dataclass(frozen=True, slots=True)
class Proposal:
    candidate: Candidate
    distance_km: float | None
    """None where it is not known where the elder lives."""
    unfit: Unfit | None
    """None: it may be proposed."""


def propose(
    home: Place | None, district: str, candidates: Iterable[Candidate]
) -> tuple[Proposal, ...]:
    """All of them, the best first and the unfit last.

    Without a `home` the elder's `district` decides, if that is known, and then the workload.
    """
    judged = [_judge(home, district, one) for one in candidates]
    return tuple(sorted(judged, key=_rank))


def _judge(home: Place | None, district: str, one: Candidate) -> Proposal:
    way_km = distance_km(home, one.place) if home else None
    unfit = None
    if one.declined:
        unfit = Unfit.DECLINED
    elif one.orders >= one.orders_a_day:
        unfit = Unfit.FULL
    elif way_km is not None and way_km > one.radius_km and not one.usual:
        unfit = Unfit.TOO_FAR
    elif way_km is None and not one.usual and district and one.district not in ("", district):
        unfit = Unfit.ELSEWHERE
    return Proposal(one, way_km, unfit)


def _rank(proposal: Proposal) -> tuple[bool, bool, float, int]:
    one = proposal.candidate
    busy = one.orders / one.orders_a_day if one.orders_a_day else 1.0
    way_km = (proposal.distance_km or 0.0) + busy * FULL_DAY_KM
    return proposal.unfit is not None, not one.usual, way_km, one.id
