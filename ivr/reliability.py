"""Whether confidence can be believed: of what was said with 0.8, are eight in ten right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BINS = 10
CHARTS = frozenset({".png", ".svg", ".pdf"})
"""Endings of files that a chart can be written to."""


@dataclass(frozen=True, slots=True)
class Bin:
    """What was said with a confidence in [low, high)."""

    low: float
    high: float
    n: int
    confidence: float
    """Their mean."""
    right: float
    """Share of them that was right."""


def reliability(judged: Sequence[tuple[float, bool]]) -> list[Bin]:
    """Bins of equal width from pairs of confidence, 0 to 1, and whether it was right.

    Bins that nothing is in are left out.
    """
    members: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in judged:
        members.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, right))
    return [
        Bin(
            number / BINS,
            (number + 1) / BINS,
            len(pairs),
            sum(confidence for confidence, _ in pairs) / len(pairs),
            sum(right for _, right in pairs) / len(pairs),
        )
        for number, pairs in sorted(members.items())
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far confidence is from the share right, on average."""
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.confidence - one.right) for one in bins) / total if total else 0.0


def draw(curves: Mapping[str, Sequence[Bin]], path: Path) -> None:
    """Writes a reliability curve for each name, with how many stand behind each point below it.

    Raises OSError when the file cannot be written.
    """
    # Half a second to load, and no other command needs it; Figure without pyplot draws with Agg.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 6.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 1), (0, 1), color="0.6", linestyle="--", linewidth=1, label="as it should be")
    width = 0.9 / BINS / max(1, len(curves))
    for number, (name, bins) in enumerate(curves.items()):
        if not bins:
            continue
        total = sum(one.n for one in bins)
        error = calibration_error(bins)
        (line,) = above.plot(
            [one.confidence for one in bins],
            [one.right for one in bins],
            marker="os^D"[number % 4],
            label=f"{name}: {total}, off by {error:.3f} on average",
        )
        start = 0.05 / BINS + (number + 0.5) * width
        bars = below.bar(
            [one.low + start for one in bins],
            [one.n for one in bins],
            width,
            color=line.get_color(),
        )
        below.bar_label(bars, fontsize=8, padding=1)
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel="share right", title="Reliability")
    above.grid(alpha=0.3)
    above.legend(loc="best")
    below.set(xlabel="confidence", ylabel="utterances", xticks=[n / BINS for n in range(BINS + 1)])
    below.margins(y=0.2)
    figure.savefig(path, dpi=120)
