"""Finds out what a recogniser makes of every phrase: its words, and the sounds in its encoder.

All that is spoken and heard is kept in a folder, so that mining which was interrupted goes on where
it was, and mining again gives the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audio import ctranslate
from audio.adapter import cut, window
from audio.files import whole
from audio.phones import PhoneHead
from audio.recogniser import Hypothesis, Recogniser, Samples
from audio.sound import read_wav
from audio.whisper import WhisperRecogniser
from ivr.mining.corpus import sayings, sounds
from ivr.mining.line import other_speaker, telephoned
from ivr.mining.speaking import Job
from ivr.mining.training import States, Utterance, aligned, train, transcript
from ivr.understanding.grammar import Grammar
from ivr.understanding.heard import LONGEST, SHORTEST, HeardAs
from ivr.understanding.match import N_BEST, Matcher, prepared
from ivr.understanding.similarity import syllable_distances
from ivr.understanding.syllables import Syllable, from_pinyin, han, pinyin_of

COUNT = 2400
"""Sayings of a plan: with less, phones that few words have are not learned."""
NATIVE = ("zf_xiaoni", "zf_xiaoxiao", "zm_yunxi", "zm_yunyang")
FOREIGN = ("af_heart", "am_adam", "am_santa", "bf_emma", "hf_alpha", "jm_kumo")
VOICES = (*NATIVE, *(f"{one}+{other}" for one in NATIVE for other in FOREIGN))
"""Halfway between them and voices of other languages are speakers as clear, and no two alike."""
OWN_SHARE = 4
"""A dialect with readings of its own gets that many sayings for one of an accent of Mandarin."""

LINES = 3
"""Lines over which each saying reaches the encoder: to hear one costs far less than to speak it."""
_LINE = 7
"""Keeps the chances of a line apart from those of the speaker before it."""
_HEADS = (0.9, 0.95, 1.0, 1.0, 1.06, 1.12)
"""How large speakers are beside the voice they are made from."""
_SNRS_DB = (None, 25.0, 15.0, 10.0)
_PEAKS = (0.2, 0.7)

FARTHEST = 0.4
"""Mean distance of a syllable said from the one heard in its place; beyond, it was a guess."""
UNHEARD = 0.6
"""The same for a syllable that only one of both has."""
ANOTHERS = 0.3
"""Confidence from which a hearing points to another service than the one it was said for."""

NO_JAX = "to teach the encoder takes JAX: `.venv/bin/pip install '.[adapt]'`, or say --no-adapt"


class MiningError(Exception):
    """Mining cannot be done as asked; says what to do instead."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One saying of a plan, down to its sounds: the grammar may change, a plan does not."""

    number: int
    dialect: str
    text: str
    code: str
    """Service code, act, or "1" to "5"; empty for everyday talk."""
    voice: str
    speed: float
    syllables: tuple[Syllable, ...]
    phonemes: str
    """In the synthesiser's alphabet."""


@dataclass(frozen=True, slots=True, eq=False)
class Hearing:
    """What an engine made of one saying."""

    saying: Planned
    hypotheses: tuple[Hypothesis, ...]
    states: tuple[States, ...]
    """Of the encoder over each line, shape (frames, dimension); empty if the engine tells none."""


def make_plan(
    grammar: Grammar, dialects: Sequence[str], voices: Sequence[str], count: int, seed: int
) -> list[Planned]:
    """`count` sayings of the grammars' phrases in these dialects; the same for the same seed."""
    parts = {d: OWN_SHARE if grammar.dialects[d].pronunciation.own else 1 for d in dialects}
    whole = sum(parts.values())
    counts = {d: max(1, count * part // whole) for d, part in parts.items()}
    counts[dialects[0]] += max(0, count - sum(counts.values()))
    plan = []
    for saying in sayings(grammar, counts, voices, seed):
        syllables, phonemes = sounds(saying, grammar.dialects[saying.dialect], seed)
        plan.append(
            Planned(
                saying.number, saying.dialect, saying.phrase.text, saying.phrase.code,
                saying.voice, saying.speed, tuple(syllables), phonemes,
            )
        )  # fmt: skip
    return plan


def kept_plan(folder: Path) -> list[Planned] | None:
    """The plan that was begun in this folder; None if there is none. Raises MiningError."""
    path = folder / "plan.json"
    if not path.exists():
        return None
    try:
        return [
            Planned(**{**one, "syllables": tuple(map(tuple, one["syllables"]))})
            for one in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise MiningError(
            f"{path} cannot be read ({error}): delete {folder} or take another seed"
        ) from error


def keep_plan(folder: Path, plan: Sequence[Planned]) -> None:
    """Raises MiningError."""
    lines = [json.dumps(asdict(one), ensure_ascii=False) for one in plan]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole(folder / "plan.json") as file:
            file.write(("[\n" + ",\n".join(lines) + "\n]\n").encode())
    except OSError as error:
        raise MiningError(f"{folder} cannot be written: {error.strerror}") from error


def sound_of(folder: Path, saying: Planned) -> Path:
    """Where its sound is kept."""
    return folder / f"{saying.number:05}.wav"


def unspoken(folder: Path, plan: Sequence[Planned]) -> list[Job]:
    """What is still to be spoken of a plan."""
    jobs = [(sound_of(folder, one), one.phonemes, one.voice, one.speed) for one in plan]
    return [job for job in jobs if not job[0].exists()]


def on_the_line(samples: Samples, number: int, seed: int, line: int = 0) -> Samples:
    """How one saying arrives: another head, another room and loudness, and the line."""
    chance = np.random.default_rng([_LINE * seed, number, *([line] if line else [])])
    head = float(chance.choice(_HEADS))
    snr_db = _SNRS_DB[int(chance.integers(len(_SNRS_DB)))]
    peak = float(chance.uniform(*_PEAKS))
    return telephoned(other_speaker(samples, head), snr_db=snr_db, peak=peak, chance=chance)


def hear_plan(
    folder: Path,
    plan: Sequence[Planned],
    recogniser: Recogniser,
    model: str,
    question: str,
    seed: int,
) -> Iterator[Hearing]:
    """What the recogniser makes of each saying; what it has heard before is read again.

    Raises SoundError and RecogniserError.
    """
    heard = folder / model
    heard.mkdir(parents=True, exist_ok=True)
    for saying in plan:
        path = heard / f"{saying.number:05}.npz"
        kept = kept_hearing(path, saying, recogniser.version)
        lines = LINES if isinstance(recogniser, WhisperRecogniser) else 0
        if kept is None or len(kept.states) < lines:
            heard_now = _hear(folder, saying, recogniser, question, seed)
            keep_hearing(path, heard_now, recogniser.version)
            kept = kept_hearing(path, saying, recogniser.version)
            assert kept is not None
        yield kept


def _hear(
    folder: Path, saying: Planned, recogniser: Recogniser, question: str, seed: int
) -> Hearing:
    """Its words over the first line, the encoder's states over each of them."""
    spoken = read_wav(sound_of(folder, saying))
    sounds = [on_the_line(spoken, saying.number, seed, line) for line in range(LINES)]
    words = tuple(recogniser.recognise(sounds[0], question=question))
    if not isinstance(recogniser, WhisperRecogniser):
        return Hearing(saying, words, ())
    found = [recogniser.states(sound) for sound in sounds]
    silent = np.zeros((0, 1), np.float32)  # nothing was heard: too short to be learned from
    return Hearing(saying, words, tuple(silent if one is None else one for one in found))


def keep_hearing(path: Path, hearing: Hearing, version: str) -> None:
    """Writes what the engine of this version heard, whole or not at all."""
    arrays: dict[str, Any] = {
        "version": np.asarray(version),
        "texts": np.asarray([h.text for h in hearing.hypotheses], str),
        "scores": np.asarray([h.score for h in hearing.hypotheses], float),
    }
    for line, states in enumerate(hearing.states):
        arrays[f"states {line}"] = states.astype(np.float16)
    with whole(path) as file:
        np.savez(file, **arrays)


def kept_hearing(path: Path, saying: Planned, version: str) -> Hearing | None:
    """What was heard by this very engine before; None if nothing was."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        if str(stored["version"]) != version:
            return None
        pairs = zip(stored["texts"], stored["scores"], strict=True)
        hypotheses = tuple(Hypothesis(str(text), float(score)) for text, score in pairs)
        states = tuple(stored[name] for name in stored.files if name.startswith("states "))
    return Hearing(saying, hypotheses, states)


def apart(said: Sequence[Syllable], heard: Sequence[Syllable]) -> float:
    """How far a hearing is from what was said, 0 to 1, for each syllable of the longer one."""
    distances = syllable_distances(said, heard)
    row = np.arange(len(heard) + 1) * UNHEARD
    for far in distances:
        above, row = row, np.empty_like(row)
        row[0] = above[0] + UNHEARD
        for n, distance in enumerate(far):
            row[n + 1] = min(above[n] + distance, above[n + 1] + UNHEARD, row[n] + UNHEARD)
    return float(row[-1]) / max(len(said), len(heard))


def heard_as(hearings: Sequence[Hearing], matcher: Matcher) -> dict[str, list[HeardAs]]:
    """What phrases were heard as, by dialect: what a matcher of the grammars does not know yet.

    Left out is what sounds like the phrase in Mandarin anyway, what is too far from it to be more
    than a guess, and what points to another code as well.
    """
    rows: dict[str, list[HeardAs]] = defaultdict(list)
    codes: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for hearing in hearings:
        saying = hearing.saying
        for text in dict.fromkeys(han(h.text) for h in hearing.hypotheses[:N_BEST]):
            pinyin = pinyin_of(text)
            codes[pinyin].add(saying.code)
            if not SHORTEST <= len(pinyin) <= LONGEST or len(text) != len(pinyin):
                continue
            if pinyin == pinyin_of(saying.text):
                continue
            if apart(saying.syllables, [from_pinyin(one) for one in pinyin]) <= FARTHEST:
                rows[saying.dialect].append(
                    HeardAs(saying.code, saying.text, text, 1, saying.dialect)
                )
    anothers: dict[str, set[str]] = {}

    def points_elsewhere(row: HeardAs) -> bool:
        if len(codes[pinyin_of(row.heard)]) > 1:
            return True
        if row.heard not in anothers:
            found = matcher.services(prepared([Hypothesis(row.heard, 0.0)]))
            anothers[row.heard] = {c.code for c in found if c.confidence >= ANOTHERS}
        return bool(anothers[row.heard] - {row.code})

    return {
        dialect: [row for row in listed if not points_elsewhere(row)]
        for dialect, listed in rows.items()
    }


def phone_head(
    hearings: Sequence[Hearing], about: str, seed: int, report: Callable[[str], None]
) -> PhoneHead | None:
    """A head for the encoder that heard this; None if it is an engine without one.

    Raises MiningError when too little was heard.
    """
    utterances = [
        Utterance(states, hearing.saying.syllables)
        for hearing in hearings
        for states in hearing.states
    ]
    if not utterances:
        return None
    try:
        return train(utterances, about=about, seed=seed, report=report)
    except ValueError as error:
        raise MiningError(f"nothing can be learned of its sounds: {error}") from error


def adapted(
    head: PhoneHead,
    hearings: Sequence[Hearing],
    folder: Path,
    recogniser: WhisperRecogniser,
    model_folder: Path,
    seed: int,
    report: Callable[[str], None],
) -> PhoneHead:
    """The same head with changes of the recogniser's encoder, both learned from what was heard.

    Raises MiningError where it cannot be learned, SoundError and OSError.
    """
    try:
        from ivr.mining.adapting import Lesson, adapt
    except ImportError as error:
        raise MiningError(NO_JAX) from error
    phones = [str(phone) for phone in head.phones]
    sayings = []
    for hearing in hearings:
        saying = hearing.saying
        said = transcript(saying.syllables, phones)
        spoken = read_wav(sound_of(folder, saying))
        lessons = []
        for line, states in enumerate(hearing.states):
            if len(states) < len(said):
                continue
            mel = recogniser.mel(on_the_line(spoken, saying.number, seed, line))
            labels = aligned(head.hear(states.astype(np.float32)).log_probs, said)
            if mel is not None:
                lessons.append(Lesson(cut(mel, window(len(labels))).astype(np.float16), labels))
        if lessons:
            sayings.append(lessons)
    try:
        weights = ctranslate.read(model_folder / ctranslate.MODEL)
        return adapt(weights, head, sayings, seed=seed, report=report)
    except ValueError as error:
        raise MiningError(f"its encoder cannot be taught: {error}") from error
