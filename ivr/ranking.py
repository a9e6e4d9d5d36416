"""Who is rated best, by what is certain and not by luck.

Three ratings of 5 say little, two hundred with a mean of 4.6 say much. So it is not the mean that
ranks but the lower end of the interval in which the true mean lies with 95 %: Evan Miller,
"Ranking Items With Star Ratings" (2014). Every score begins with one rating that nobody gave, which
makes the shares of the scores a Dirichlet distribution; the mean of a score s_k with shares of that
distribution has, of n_k ratings each, N in all and K scores,

    mean      m = sum(s_k (n_k + 1) / (N + K))
    variance  v = (sum(s_k^2 (n_k + 1) / (N + K)) - m^2) / (N + K + 1)

and the interval is m -/+ z sqrt(v).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Z = 1.96
"""Of the normal distribution, 95 % lie within so many standard deviations."""
FEWEST = 10
"""Whoever has fewer ratings gets no place: they are not bad but unknown."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the mean of all ratings that could ever be given lies with 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    one: T
    place: int | None
    """From 1; None: too few ratings. Equals share a place."""
    interval: Interval


def interval(scores: Sequence[int]) -> Interval:
    """scores: how many ratings there are of each score, that of 1 first."""
    total = sum(scores) + len(scores)
    shares = [(n + 1) / total for n in scores]
    mean = sum(score * share for score, share in enumerate(shares, 1))
    variance = (sum(score**2 * share for score, share in enumerate(shares, 1)) - mean**2) / (
        total + 1
    )
    reach = Z * math.sqrt(variance)
    return Interval(max(1.0, mean - reach), min(float(len(scores)), mean + reach))


def ranking(ones: Iterable[tuple[T, Sequence[int]]]) -> list[Placed[T]]:
    """The best first, and after them those without a place; each given with its scores."""
    rated = [(one, sum(scores), interval(scores)) for one, scores in ones]
    rated.sort(key=lambda row: (row[1] < FEWEST, -row[2].low, -row[1]))
    placed: list[Placed[T]] = []
    for n, (one, ratings, reach) in enumerate(rated, 1):
        place: int | None = n
        if ratings < FEWEST:
            place = None
        elif placed and placed[-1].interval == reach:
            place = placed[-1].place
        placed.append(Placed(one, place, reach))
    return placed
