"""What an evaluation comes to: shares, confusions, where it was lost, how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from ivr.dialogue.clarification import worth_asking_for_emergency
from ivr.evaluation import Result
from ivr.reliability import calibration_error, reliability
from ivr.understanding.dialects import MANDARIN
from ivr.understanding.meaning import EMERGENCY, Kind
from ivr.understanding.syllables import pinyin_of


def missed_emergency(result: Result) -> bool:
    """Whether someone who needed help at once would not even have been asked if they do."""
    return result.row.expected == EMERGENCY and not worth_asking_for_emergency(
        result.meaning, denied=False
    )


def judged_services(results: Iterable[Result]) -> list[tuple[float, bool]]:
    """Confidence of the likeliest service where a service or nothing was meant, and if it was it.

    What was taken for an answer or a time has no candidate and is not in it.
    """
    return [
        (result.meaning.candidates[0].confidence,
         result.meaning.candidates[0].code == result.row.expected)
        for result in results
        if result.row.kind in (Kind.SERVICE, Kind.OOS) and result.meaning.candidates
    ]  # fmt: skip


def judged_answers(results: Iterable[Result]) -> list[tuple[float, bool]]:
    """Confidence of each act and rating that was understood where one was meant, and if right."""
    return [
        (min(1.0, result.meaning.confidence), result.right)
        for result in results
        if result.row.kind in (Kind.ACT, Kind.RATING)
        and result.meaning.kind in (Kind.ACT, Kind.RATING)
    ]


def _times(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles and sum of durations."""
    p50, p95 = np.percentile(seconds, (50, 95)) if seconds else (0.0, 0.0)
    return {
        "p50": round(float(p50), 4),
        "p95": round(float(p95), 4),
        "sum": round(sum(seconds), 4),
    }


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def _by(key: Callable[[Result], str], results: Iterable[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return dict(sorted(groups.items()))


def _shares(groups: Mapping[str, Sequence[Result]]) -> dict[str, dict[str, float]]:
    return {
        name: {
            "n": len(group),
            "accuracy": _share([r.right for r in group]),
            "top2": _share([r.among_two for r in group]),
        }
        for name, group in groups.items()
    }


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """The document of `yihu eval --json`."""
    kinds = _by(lambda r: r.row.kind, results)
    heard = [r for r in results if r.sound_s]
    compared = [r for r in heard if r.right_from_text is not None]
    sound_s = sum(r.sound_s for r in heard)
    recognise_s = [r.recognise_s for r in heard]
    return {
        "rows": len(results),
        "accuracy": _share([r.right for r in results]),
        "by_accent": _shares(_by(lambda r: r.row.accent, results)),
        "by_dialect": _shares(_by(lambda r: r.row.dialect, results)),
        "by_kind": _shares(kinds),
        "by_service": _shares(_by(lambda r: r.row.expected, kinds.get(Kind.SERVICE, []))),
        "by_expected": {
            code: {"n": len(group), "accuracy": _share([r.right for r in group])}
            for code, group in _by(lambda r: r.row.expected, results).items()
        },
        "by_stage": {
            accent: _stages(group)
            for accent, group in _by(lambda r: r.row.accent, compared).items()
        },
        "false_accept_rate": _share(
            [r.meaning.kind is Kind.SERVICE for r in kinds.get(Kind.OOS, [])]
        ),
        "missed_emergencies": sum(missed_emergency(r) for r in results),
        "emergencies_missed": [_told(r) for r in results if missed_emergency(r)],
        "confusions": _confusions(results),
        "calibration": {
            "services": _calibration(judged_services(results)),
            "answers": _calibration(judged_answers(results)),
        },
        "seconds": {
            "read": _times([r.read_s for r in heard]),
            "recognise": _times(recognise_s),
            "understand": _times([r.understand_s for r in results]),
            "sound": round(sound_s, 4),
        },
        "recognise_per_second_of_sound": round(sum(recognise_s) / sound_s, 4) if heard else 0.0,
    }


def _stages(group: Sequence[Result]) -> dict[str, float | None]:
    """Where rows that have both sound and text were lost; the first and the two losses add to 1."""
    wrong = [r for r in group if not r.right]
    errors, length = 0, 0
    for result in group:
        if result.row.dialect == MANDARIN:  # elsewhere the text is not what Mandarin would sound
            spoken = pinyin_of(result.row.text)
            errors += Levenshtein.distance(spoken, pinyin_of(result.heard))
            length += len(spoken)
    return {
        "n": len(group),
        "sound": _share([r.right for r in group]),
        "text": _share([bool(r.right_from_text) for r in group]),
        "lost_in_recognition": round(sum(bool(r.right_from_text) for r in wrong) / len(group), 4),
        "lost_in_matching": round(sum(not r.right_from_text for r in wrong) / len(group), 4),
        "syllable_error_rate": round(errors / length, 4) if length else None,
    }


def _told(result: Result) -> dict[str, Any]:
    return {
        "accent": result.row.accent,
        "text": result.row.text,
        "heard": result.heard,
        "confidence": round(result.meaning.confidence, 4),
    }


def _confusions(results: Iterable[Result]) -> list[dict[str, Any]]:
    wrong = _by(lambda r: f"{r.row.expected} {r.understood}", (r for r in results if not r.right))
    return [
        {
            "expected": group[0].row.expected,
            "understood": group[0].understood,
            "n": len(group),
            "heard": [_told(r) for r in group],
        }
        for group in sorted(wrong.values(), key=len, reverse=True)
    ]


def _calibration(judged: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    bins = reliability(judged)
    return {
        "n": len(judged),
        "error": round(calibration_error(bins), 4),
        "bins": [
            {
                "from": one.low,
                "to": one.high,
                "n": one.n,
                "confidence": round(one.confidence, 4),
                "right": round(one.right, 4),
            }
            for one in bins
        ],
    }
