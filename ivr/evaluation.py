"""Accuracy and speed of understanding over manifests of utterances with what they should mean."""

from __future__ import annotations

import csv
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from audio.recogniser import TELEPHONE_HZ, Hypothesis, Recogniser
from audio.sound import read_wav
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Act, Kind, Meaning, State

QUESTIONS = {
    State.OPEN: "您好，请问您需要什么服务？",
    State.CONFIRM: "请问对吗？",
    State.TIME: "您希望什么时候？",
    State.RATING: "您对这次服务满意吗？",
    State.SMS: "",
    State.MORE: "请问您还需要什么服务？",
    State.WAITING: "",
}
"""What the recogniser is told was asked: never a list of service words, they leak into the text."""

COLUMNS = ("file", "expected", "text")
RATINGS = ("1", "2", "3", "4", "5")


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
    dialect: str = "unknown"

    @property
    def kind(self) -> Kind:
        """What should be understood."""
        name = self.expected.partition(":")[0]
        return Kind(name) if name in (*Kind,) else Kind.SERVICE

    @property
    def state(self) -> State:
        """The question being answered, which follows from what is expected."""
        if self.expected in ("act:yes", "act:no", "act:repeat"):
            return State.CONFIRM
        match self.kind:
            case Kind.RATING:
                return State.RATING
            case Kind.TIME:
                return State.TIME
            case _:
                return State.OPEN


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
    read_s: float = 0.0
    sound_s: float = 0.0
    """Length of the recording; 0 when it was understood from its text."""
    right_from_text: bool | None = None
    """Whether its text alone would have been understood; None where there is no sound or text."""

    @property
    def heard(self) -> str:
        """The recogniser's first hypothesis, or the text."""
        return self.hypotheses[0].text if self.hypotheses else ""

    @property
    def understood(self) -> str:
        """The meaning, written as a manifest writes what is expected."""
        match self.meaning.kind:
            case Kind.SERVICE:
                return self.meaning.code
            case Kind.ACT:
                return f"act:{self.meaning.code}"
            case Kind.RATING:
                return f"rating:{self.meaning.rating}"
            case kind:
                return str(kind)


def _fault(row: Row, services: Container[str], text_only: bool) -> str:
    """What is wrong with a row; "" if nothing is."""
    kind, _, value = row.expected.partition(":")
    if not row.expected:
        return "nothing is expected of it"
    if not row.wav and not row.text:
        return "neither a file nor a text"
    if row.wav and not row.wav.is_file():
        return f"there is no file {row.wav}"
    if not row.text and (text_only or kind == "time"):
        return "a text is needed" + (" to know the time that is right" if kind == "time" else "")
    if kind == "act":
        known = value in (*Act,)
    elif kind == "rating":
        known = value in RATINGS
    else:
        known = row.expected in ("time", "oos") or row.expected in services
    if not known:
        return (
            f"{row.expected!r} is not a service of grammars/catalog.yaml, "
            f"act:{'|'.join(Act)}, rating:1 to rating:5, time or oos"
        )
    return ""


def read_manifest(path: Path, services: Container[str], *, text_only: bool = False) -> list[Row]:
    """Rows of a tab-separated manifest; files are relative to its folder.

    `services` are the codes there are; with `text_only` every row needs a text.
    Raises ManifestError.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise ManifestError(
                    f"{path}: no column {', '.join(missing)} in its first line, which must name "
                    "the columns with tabs between them"
                )
            rows = []
            for record in reader:
                where = f"{path}, line {reader.line_num}"
                if None in record:
                    raise ManifestError(f"{where}: more fields than the first line has columns")
                field = {name: value.strip() for name, value in record.items()}
                wav = path.parent / field["file"] if field["file"] else None
                dialect = field.get("dialect") or "unknown"
                accent = field.get("accent") or dialect
                row = Row(wav, field["expected"], accent, field["text"], dialect)
                if fault := _fault(row, services, text_only):
                    raise ManifestError(f"{where}: {fault}")
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    if not rows:
        raise ManifestError(f"{path}: there are no rows below its first line")
    return rows


def _same_moment(meaning: Meaning, reference: Meaning, now: datetime) -> bool:
    return (
        meaning.when is not None
        and reference.when is not None
        and meaning.when.resolve(now) == reference.when.resolve(now)
    )


def _judge(row: Row, meaning: Meaning, matcher: Matcher, now: datetime) -> tuple[bool, bool]:
    """Whether it is right, and whether the right one is among the first two candidates."""
    value = row.expected.partition(":")[2]
    match row.kind:
        case Kind.ACT:
            right = meaning.kind is Kind.ACT and meaning.code == value
        case Kind.RATING:
            right = meaning.kind is Kind.RATING and str(meaning.rating) == value
        case Kind.OOS:
            right = meaning.kind is not Kind.SERVICE
        case Kind.TIME:
            reference = understand([Hypothesis(row.text, 0.0)], State.TIME, matcher, now)
            right = meaning.kind is Kind.TIME and _same_moment(meaning, reference, now)
        case Kind.SERVICE:
            right = meaning.kind is Kind.SERVICE and meaning.code == row.expected
            first_two = [candidate.code for candidate in meaning.candidates[:2]]
            return right, right or row.expected in first_two
    return right, right


def evaluate(
    rows: Iterable[Row],
    recogniser: Recogniser | None,
    matcher: Matcher,
    now: datetime,
    *,
    dialect_known: bool = False,
) -> Iterator[Result]:
    """Understands each row; without a `recogniser` from its text, whether it has sound or not.

    With `dialect_known`, as from callers whose dialect, that of the row, is known.
    A row that is heard and has a text is understood from that, too: what goes wrong there as well
    was not lost by the recogniser. Raises RecogniserError and SoundError as they come.
    """
    for row in rows:
        written = [Hypothesis(row.text, 0.0)]
        if row.wav is None or recogniser is None:
            yield _result(row, written, matcher, now, dialect_known)
            continue
        started = time.perf_counter()
        samples = read_wav(row.wav)
        read = time.perf_counter()
        hypotheses = recogniser.recognise(samples, question=QUESTIONS[row.state])
        recognised = time.perf_counter()
        yield replace(
            _result(row, hypotheses, matcher, now, dialect_known),
            recognise_s=recognised - read,
            read_s=read - started,
            sound_s=len(samples) / TELEPHONE_HZ,
            right_from_text=_result(row, written, matcher, now, dialect_known).right
            if row.text
            else None,
        )


def _result(
    row: Row,
    hypotheses: Sequence[Hypothesis],
    matcher: Matcher,
    now: datetime,
    dialect_known: bool,
) -> Result:
    dialect = row.dialect if dialect_known else ""
    started = time.perf_counter()
    meaning = understand(hypotheses, row.state, matcher, now, dialect)
    understood = time.perf_counter()
    right, among_two = _judge(row, meaning, matcher, now)
    return Result(row, meaning, tuple(hypotheses), right, among_two, 0.0, understood - started)
