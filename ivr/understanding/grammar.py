"""The grammars as one immutable value: every way of saying everything, in every dialect.

A folder below grammars/ is a dialect; docs/grammars.md describes the files. Templates are hassil's:
`[optional]`, `(this|that)`, `<rule>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from hassil import Sentence, parse_sentence, sample_expression
from hassil.errors import HassilError
from hassil.parser import ParseError

from ivr.understanding.dialects import MANDARIN, dialect_names
from ivr.understanding.meaning import Act
from ivr.understanding.pronunciation import Pronunciation
from ivr.understanding.syllables import han

MAX_EXPANSIONS = 400
"""A template with more than this is a mistake, not a way of saying something."""
STAYS = "stays"
"""What people say who go on waiting for an operator."""


class GrammarError(Exception):
    """A grammar file is wrong; the message names the file, the entry and the reason."""


class Topic(StrEnum):
    """What a phrase is about, and so which phrases compete for an answer."""

    SERVICE = "service"
    ACT = "act"
    RATING = "rating"
    EVERYDAY = "everyday"
    WAITING = "waiting"
    MORE = "more"
    """Answers to whether anything else is needed, before what the same words do elsewhere."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way of saying one thing."""

    text: str
    """Characters only."""
    topic: Topic
    code: str
    """Service code, act, STAYS, or "1" to "5"; empty for everyday talk."""
    dialect: str


class Sign(StrEnum):
    """What words beside a need tell against its being asked for."""

    DONE = "done"
    DECLINES = "declines"
    ENQUIRES = "enquires"
    COMMANDS = "commands"
    OTHERS = "others"
    SUPPOSES = "supposes"


TimeWords = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Field (day, weekday, part, ...) to value to the words for it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One folder of grammars/."""

    name: str
    spoken_name: str
    base: str
    """The dialect whose phrases are said here too, in this pronunciation; empty for none."""
    pronunciation: Pronunciation
    phrases: tuple[Phrase, ...]
    frames: tuple[str, ...]
    """Words around the need that name no service (我要, 请人来)."""
    talk: tuple[str, ...]
    """More that orders nothing: for topics.py, which weighs whole utterances."""
    stories: tuple[tuple[str, str], ...]
    """Service codes with whole sentences in which the need is told, for topics.py too."""
    signs: Mapping[Sign, tuple[str, ...]]
    """Words that, beside a need, tell that it is not asked for."""
    times: TimeWords


@dataclass(frozen=True, slots=True)
class Grammar:
    """All dialects by name, Mandarin first."""

    dialects: Mapping[str, Dialect]


def read_entries(path: Path) -> dict[str, Any]:
    """A file of the grammars; empty if there is none. Raises GrammarError."""
    if not path.exists():
        return {}
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    except yaml.YAMLError as error:
        raise GrammarError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise GrammarError(f'{path}: every key must be a string; quote numbers, "yes" and "no"')
    return content


def expand(template: str, rules: Mapping[str, Sentence]) -> list[str]:
    """Every text of a hassil template.

    Raises GrammarError for a template that does not parse or has too many expansions.
    """
    texts: dict[str, None] = {}
    try:
        expression = parse_sentence(template).expression
        for text in sample_expression(expression, expansion_rules=dict(rules)):
            texts[han(text)] = None
            if len(texts) > MAX_EXPANSIONS:
                raise GrammarError(f"{template!r}: more than {MAX_EXPANSIONS} expansions")
    except (HassilError, ParseError, ValueError) as error:
        raise GrammarError(f"{template!r}: {error}") from error
    return [text for text in texts if text]


def _phrases(
    path: Path, topic: Topic, dialect: str, rules: Mapping[str, Sentence], codes: frozenset[str]
) -> list[Phrase]:
    found = []
    for code, templates in read_entries(path).items():
        if code not in codes:
            raise GrammarError(f"{path}: unknown entry {code!r}; known: {', '.join(sorted(codes))}")
        if not isinstance(templates, list):
            raise GrammarError(f"{path}: {code}: a list of templates is needed")
        for template in templates:
            try:
                texts = expand(template, rules)
            except GrammarError as error:
                raise GrammarError(f"{path}: {code}: {error}") from error
            found += [Phrase(text, topic, code, dialect) for text in texts]
    return found


def _times(path: Path) -> TimeWords:
    words: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, value in read_entries(path).items():
        entries = value if isinstance(value, dict) else {"": value}
        words[name] = {
            str(key): tuple(han(text) for word in listed for text in expand(word, {}))
            for key, listed in entries.items()
        }
    return words


def _signs(path: Path, rules: Mapping[str, Sentence]) -> dict[Sign, tuple[str, ...]]:
    signs: dict[Sign, tuple[str, ...]] = {}
    for name, templates in read_entries(path).items():
        if name not in tuple(Sign):
            raise GrammarError(f"{path}: unknown entry {name!r}; known: {', '.join(Sign)}")
        try:
            signs[Sign(name)] = tuple(text for one in templates for text in expand(one, rules))
        except GrammarError as error:
            raise GrammarError(f"{path}: {name}: {error}") from error
    return signs


def load_pronunciation(folder: Path) -> Pronunciation:
    """How the dialect in this folder reads characters. Raises GrammarError."""
    try:
        return Pronunciation(
            read_entries(folder / "dialect.yaml").get("sounds") or {},
            read_entries(folder / "readings.yaml"),
            read_entries(folder / "lexicon.yaml"),
        )
    except (ValueError, KeyError) as error:
        raise GrammarError(f"{folder}: {error}") from error


def load_dialect(folder: Path, services: frozenset[str]) -> Dialect:
    """Reads one dialect's folder.

    Raises GrammarError naming the file and the entry that is wrong.
    """
    about = read_entries(folder / "dialect.yaml")
    frames = read_entries(folder / "frames.yaml")
    name = folder.name
    try:
        rules = {k: parse_sentence(v) for k, v in read_entries(folder / "rules.yaml").items()}
    except (HassilError, ParseError, ValueError) as error:
        raise GrammarError(f"{folder}: {error}") from error
    acts = frozenset(str(act) for act in Act if act is not Act.CALLBACK)
    stars = frozenset("12345")
    phrases = (
        _phrases(folder / "services.yaml", Topic.SERVICE, name, rules, services)
        + _phrases(folder / "acts.yaml", Topic.ACT, name, rules, acts)
        + _phrases(folder / "ratings.yaml", Topic.RATING, name, rules, stars)
        + _phrases(
            folder / "waiting.yaml", Topic.WAITING, name, rules, frozenset({Act.CALLBACK, STAYS})
        )
        + _phrases(folder / "more.yaml", Topic.MORE, name, rules, frozenset({Act.YES, Act.NO}))
        + [Phrase(han(t), Topic.EVERYDAY, "", name) for t in frames.get("everyday", ())]
    )
    return Dialect(
        name=name,
        spoken_name=str(about.get("spoken_name", name)),
        base=str(about.get("base") or ""),
        pronunciation=load_pronunciation(folder),
        phrases=tuple(dict.fromkeys(phrases)),
        frames=tuple(t for frame in frames.get("frames", ()) for t in expand(frame, rules)),
        talk=tuple(
            text
            for kind in read_entries(folder / "talk.yaml").values()
            for one in kind
            for text in expand(one, rules)
        ),
        stories=tuple(
            (phrase.code, phrase.text)
            for phrase in _phrases(folder / "stories.yaml", Topic.SERVICE, name, rules, services)
        ),
        signs=_signs(folder / "signs.yaml", rules),
        times=_times(folder / "times.yaml"),
    )


def load(root: Path) -> Grammar:
    """Reads every dialect below `root` (a folder with a dialect.yaml), with catalog.yaml's codes.

    Raises GrammarError naming what is wrong.
    """
    services = frozenset(read_entries(root / "catalog.yaml"))
    names = dialect_names(root)
    if not names or names[0] != MANDARIN:
        raise GrammarError(f"{root}: no grammar for {MANDARIN}; is this the grammars/ folder?")
    return Grammar({name: load_dialect(root / name, services) for name in names})
