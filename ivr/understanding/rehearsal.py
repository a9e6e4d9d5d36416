"""The grammars' own test sentences, each understood as if a caller had said it.

grammars/<dialect>/tests/ holds services.yaml, acts.yaml, ratings.yaml, more.yaml and waiting.yaml
(what is meant, and a list of sentences), times.yaml (a sentence, and the time it names), oos.yaml
(a list of sentences) and written.yaml (what is meant, and a list of messages; "other" rates
nothing, and of "unclear" the rating has to be asked for again).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

from audio.recogniser import Hypothesis
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Act, Kind, Meaning, State
from ivr.understanding.when import Part, When
from ivr.understanding.written import HELP, Reply, Written

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=timezone(timedelta(hours=8)))
"""A Wednesday morning; relative times in the tests are meant from here."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test sentence that was not understood."""

    sentence: str
    expected: str
    understood: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one dialect's test sentences fared."""

    dialect: str
    sentences: int
    failures: tuple[Failure, ...]

    @property
    def share(self) -> float:
        """Share of the sentences that were understood; 1 where there are none."""
        return 1 - len(self.failures) / self.sentences if self.sentences else 1.0


def _expected_time(entry: Mapping[str, Any]) -> When:
    """The When of a times.yaml entry: day, weekday and week, date and month, part, clock, asap."""
    today = NOW.date()
    day: date | None = None
    if "day" in entry:
        day = today + timedelta(days=int(entry["day"]))
    elif "weekday" in entry:
        monday = today - timedelta(days=today.isoweekday() - 1)
        ahead = int(entry["weekday"]) - 1
        if "week" in entry:
            day = monday + timedelta(days=7 * int(entry["week"]) + ahead)
        else:
            day = today + timedelta(days=(ahead - today.isoweekday()) % 7 + 1)
        if day < today:
            day += timedelta(days=7)
    elif "date" in entry:
        month = int(entry.get("month", today.month))
        day = date(today.year, month, int(entry["date"]))
        if day < today:
            day = (
                day.replace(year=today.year + 1)
                if "month" in entry
                else (day.replace(day=1) + timedelta(days=32)).replace(day=day.day)
            )
    return When(
        day=day,
        part=Part(entry["part"]) if "part" in entry else None,
        clock=time.fromisoformat(entry["clock"]) if "clock" in entry else None,
        asap=bool(entry.get("asap", False)),
    )


def _said(meaning: Meaning) -> str:
    if meaning.kind is Kind.TIME and meaning.when:
        return f"time {meaning.when.resolve(NOW).isoformat()}"
    if meaning.kind is Kind.RATING:
        return f"rating {meaning.rating}"
    return f"{meaning.kind} {meaning.code}".strip()


def _read(path: Path) -> Any:
    if not path.exists():
        return {}
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise GrammarError(f"{path}: not valid YAML: {error}") from error


def _cases(tests: Path) -> Iterator[tuple[str, State, str]]:
    """Sentences with the question they answer and what should come out of them."""

    def read(name: str) -> Any:
        return _read(tests / f"{name}.yaml")

    for code, sentences in read("services").items():
        yield from ((sentence, State.OPEN, f"service {code}") for sentence in sentences)
    for act, sentences in read("acts").items():
        state = State.CONFIRM if act in ("yes", "no", "repeat") else State.OPEN
        yield from ((sentence, state, f"act {act}") for sentence in sentences)
    for rating, sentences in read("ratings").items():
        yield from ((sentence, State.RATING, f"rating {rating}") for sentence in sentences)
    for answer, sentences in read("more").items():
        expected = f"act {answer}" if answer in set(Act) else f"service {answer}"
        yield from ((sentence, State.MORE, expected) for sentence in sentences)
    for wish, sentences in read("waiting").items():
        expected = {"callback": "act callback", "emergency": "service emergency"}.get(wish, "oos")
        yield from ((sentence, State.WAITING, expected) for sentence in sentences)
    for sentence, entry in read("times").items():
        moment = _expected_time(entry).resolve(NOW).isoformat()
        yield sentence, State.TIME, f"time {moment}"
    yield from ((sentence, State.OPEN, "oos") for sentence in read("oos"))


def _said_in_writing(reply: Reply) -> str:
    if reply.help:
        return HELP
    return reply.wish or ("unclear" if reply.unclear else str(reply.score or "other"))


def _misread(path: Path, written: Written) -> tuple[int, list[Failure]]:
    """How many messages there are in the file, and which of them are not understood."""
    cases = [(text, code) for code, texts in _read(path).items() for text in texts]
    read = [(text, code, _said_in_writing(written.read(text))) for text, code in cases]
    return len(cases), [Failure(*one) for one in read if one[1] != one[2]]


def rehearse(root: Path, matcher: Matcher) -> list[Outcome]:
    """Tries every dialect's test sentences as text.

    Raises GrammarError for a test file that cannot be read.
    """
    outcomes = []
    written = Written.load(root)
    for dialect in matcher.grammar.dialects:
        tests = root / dialect / "tests"
        messages, failures = _misread(tests / "written.yaml", written)
        cases = list(_cases(tests))
        for sentence, state, expected in cases:
            meaning = understand([Hypothesis(sentence, 0.0)], state, matcher, NOW)
            understood = _said(meaning)
            accepted = (
                meaning.kind is not Kind.SERVICE if expected == "oos" else (understood == expected)
            )
            if not accepted:
                failures.append(Failure(sentence, expected, understood))
        outcomes.append(Outcome(dialect, len(cases) + messages, tuple(failures)))
    return outcomes
