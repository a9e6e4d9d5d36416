"""Accuracy and speed of understanding over manifests of utterances with what they should mean."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from audio.recogniser import Hypothesis, Recogniser
from audio.sound import read_wav
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import EMERGENCY, Kind, Meaning, State

QUESTIONS = {
    State.OPEN: "您好，请问您需要什么服务？",
    State.CONFIRM: "请问对吗？",
    State.TIME: "您希望什么时候？",
    State.RATING: "您对这次服务满意吗？",
    State.SMS: "",
}
"""What the recogniser is told was asked: never a list of service words, they leak into the text."""

COLUMNS = ("file", "expected", "text")


class ManifestError(Exception):
    """A manifest cannot be used; names the file, the line and the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One utterance of a manifest."""

    wav: Path | None
    """None: understood from its text."""
    expected: str
    """Service code, act:NAME, rating:N, time or oos."""
    accent: str
    text: str

    @property
    def state(self) -> State:
        """The question being answered, which follows from what is expected."""
        if self.expected in ("act:yes", "act:no", "act:repeat"):
            return State.CONFIRM
        if self.expected.startswith("rating:"):
            return State.RATING
        return State.TIME if self.expected == "time" else State.OPEN


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row."""

    row: Row
    meaning: Meaning
    hypotheses: tuple[Hypothesis, ...]
    right: bool
    among_two: bool
    """Whether the right one is the first or second candidate; `right` for what is no service."""
    recognise_s: float
    understand_s: float


def read_manifest(path: Path) -> list[Row]:
    """Rows of a tab-separated manifest; files are relative to its folder.

    Raises ManifestError.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ManifestError(f"{path}: no column {', '.join(missing)} in its first line")
            rows = []
            for line, record in enumerate(reader, start=2):
                name, expected = (record["file"] or "").strip(), (record["expected"] or "").strip()
                text = (record["text"] or "").strip()
                if not expected or not (name or text):
                    raise ManifestError(f"{path}, line {line}: no expected, or no file and no text")
                wav = path.parent / name if name else None
                if wav is not None and not wav.is_file():
                    raise ManifestError(f"{path}, line {line}: there is no file {wav}")
                accent = record.get("accent") or record.get("dialect") or "unknown"
                rows.append(Row(wav, expected, accent, text))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error


def _same_moment(meaning: Meaning, reference: Meaning, now: datetime) -> bool:
    return (
        meaning.when is not None
        and reference.when is not None
        and meaning.when.resolve(now) == reference.when.resolve(now)
    )


def _judge(row: Row, meaning: Meaning, matcher: Matcher, now: datetime) -> tuple[bool, bool]:
    kind, _, value = row.expected.partition(":")
    if kind == "act":
        right = meaning.kind is Kind.ACT and meaning.code == value
    elif kind == "rating":
        right = meaning.kind is Kind.RATING and str(meaning.rating) == value
    elif kind == "oos":
        right = meaning.kind is not Kind.SERVICE
    elif kind == "time":
        reference = understand([Hypothesis(row.text, 0.0)], State.TIME, matcher, now)
        right = meaning.kind is Kind.TIME and _same_moment(meaning, reference, now)
    else:
        right = meaning.kind is Kind.SERVICE and meaning.code == row.expected
        first_two = [candidate.code for candidate in meaning.candidates[:2]]
        return right, right or row.expected in first_two
    return right, right


def evaluate(
    rows: Iterable[Row], recogniser: Recogniser | None, matcher: Matcher, now: datetime
) -> Iterable[Result]:
    """Understands each row; `recogniser` may be None when no row has a sound file.

    Raises RecogniserError and SoundError as they come.
    """
    for row in rows:
        started = time.perf_counter()
        if row.wav is None or recogniser is None:
            hypotheses = [Hypothesis(row.text, 0.0)]
        else:
            samples = read_wav(row.wav)
            started = time.perf_counter()
            hypotheses = recogniser.recognise(samples, question=QUESTIONS[row.state])
        recognised = time.perf_counter()
        meaning = understand(hypotheses, row.state, matcher, now)
        understood = time.perf_counter()
        right, among_two = _judge(row, meaning, matcher, now)
        yield Result(
            row, meaning, tuple(hypotheses), right, among_two,
            recognised - started, understood - recognised,
        )  # fmt: skip


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"p50": 0.0, "p95": 0.0}
    return {f"p{q}": round(float(np.percentile(values, q)), 4) for q in (50, 95)}


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """The document of `yihu eval --json`."""
    groups: dict[str, list[Result]] = defaultdict(list)
    expected: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.row.accent].append(result)
        expected[result.row.expected].append(result)
    out_of_scope = expected.get("oos", [])
    services = [r for r in results if ":" not in r.row.expected and r.row.expected != "time"]
    mistaken = [r.meaning.kind is Kind.SERVICE for r in out_of_scope]
    emergencies = expected.get(EMERGENCY, [])
    confusions: Mapping[tuple[str, str], int] = _confusions(services)
    return {
        "rows": len(results),
        "accuracy": _share([r.right for r in results]),
        "by_accent": {
            accent: {
                "n": len(group),
                "accuracy": _share([r.right for r in group]),
                "top2": _share([r.among_two for r in group]),
            }
            for accent, group in sorted(groups.items())
        },
        "by_expected": {
            code: {"n": len(group), "accuracy": _share([r.right for r in group])}
            for code, group in sorted(expected.items())
        },
        "false_accept_rate": _share(mistaken),
        "missed_emergencies": sum(
            not any(c.code == EMERGENCY for c in r.meaning.candidates[:2]) and not r.right
            if r.meaning.kind is Kind.SERVICE
            else not r.right
            for r in emergencies
        ),
        "confusions": [
            {"expected": wanted, "understood": got, "n": count}
            for (wanted, got), count in sorted(confusions.items(), key=lambda item: -item[1])
        ],
        "seconds": {
            "recognise": _percentiles([r.recognise_s for r in results if r.row.wav]),
            "understand": _percentiles([r.understand_s for r in results]),
        },
    }


def _confusions(services: Iterable[Result]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for result in services:
        if not result.right:
            counts[result.row.expected, result.meaning.code or str(result.meaning.kind)] += 1
    return counts
