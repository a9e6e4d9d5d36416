"""`yihu grammar mine`: what the recogniser makes of every phrase, found out by speaking to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from audio import kokoro, models
from audio.files import whole
from audio.recogniser import RecogniserError
from audio.sound import SoundError
from audio.synthesiser import SynthesiserError
from audio.whisper import WhisperRecogniser
from ivr.config import ROOT, EngineSettings, Settings, load_settings
from ivr.engine import SOUNDS, load_recogniser
from ivr.evaluation import QUESTIONS
from ivr.mining.mine import (
    COUNT,
    NO_JAX,
    VOICES,
    Hearing,
    MiningError,
    Planned,
    adapted,
    hear_plan,
    heard_as,
    keep_plan,
    kept_plan,
    make_plan,
    phone_head,
    unspoken,
)
from ivr.mining.speaking import speak
from ivr.understanding import heard
from ivr.understanding.grammar import Grammar, GrammarError
from ivr.understanding.grammar import load as load_grammar
from ivr.understanding.match import Matcher
from ivr.understanding.meaning import State

EVERY = 25
"""Sayings between two lines of progress."""

T = TypeVar("T")


def mine(
    engine: Annotated[str | None, typer.Option(help="As configured where not given.")] = None,
    model: Annotated[str | None, typer.Option(help="As configured where not given.")] = None,
    dialect: Annotated[
        list[str] | None, typer.Option(help="Only this one; may be given again.")
    ] = None,
    voices: Annotated[
        list[str] | None, typer.Option(help=f"May be given again. [default: {', '.join(VOICES)}]")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help=f"Sayings; the first of a plan. [default: {COUNT}]")
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="Decides all that is left to chance.")] = 1,
    processes: Annotated[int, typer.Option(min=1, help="That speak side by side.")] = 2,
    adapt: Annotated[
        bool, typer.Option(help="Teach Whisper's encoder too; takes an hour and JAX.")
    ] = True,
    to: Annotated[
        Path, typer.Option(help="Where the tables and sounds/ go.", show_default="grammars/")
    ] = ROOT / "grammars",
    as_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Speaks the grammars' phrases to the recogniser and keeps what it hears.

    Takes hours for a plan of its full length, most of them to speak it; interrupted, it goes on
    where it was. Writes <dialect>/heard_as/<model>.tsv and, for Whisper, sounds/<model>.npz.
    """
    settings = load_settings()
    asked = settings.recogniser.model_dump(include=set(EngineSettings.model_fields))
    asked |= {k: v for k, v in (("engine", engine), ("model", model)) if v is not None}
    folder = settings.cache_dir / "mining" / str(seed)
    try:
        chosen = EngineSettings.model_validate(asked)
        name = Path(chosen.model).name
        grammar = load_grammar(ROOT / "grammars")
        plan = _plan(folder, grammar, dialect, voices, count, seed)
        recogniser = load_recogniser(chosen, settings)
        if adapt and isinstance(recogniser, WhisperRecogniser) and not find_spec("jax"):
            raise MiningError(NO_JAX)  # before hours of speaking, and not after them
        _speak(folder, plan, settings, processes)
        told = _progress(
            hear_plan(folder, plan, recogniser, name, QUESTIONS[State.OPEN], seed),
            len(plan),
            "heard",
        )
        hearings = list(told)
        origin = f"{recogniser.name} {recogniser.version}, seed {seed}, {len(plan)} sayings"
        paths = _write_tables(to, name, hearings, Matcher(grammar), origin)
        if not dialect and (head := phone_head(hearings, origin, seed, _tell)):
            if adapt and isinstance(recogniser, WhisperRecogniser):
                place = models.require(chosen.model, settings.models)
                head = adapted(head, hearings, folder, recogniser, place, seed, _tell)
            path = to / SOUNDS.name / f"{name}.npz"
            head.save(path)
            paths.append(path)
        elif dialect:
            _tell("the sounds of the encoder are learned from all dialects only")
    except ValidationError as error:
        print(f"yihu grammar mine: {error.errors()[0]['msg']}", file=sys.stderr)
        raise typer.Exit(2) from error
    except (
        GrammarError, MiningError, RecogniserError, SynthesiserError, SoundError, OSError
    ) as error:  # fmt: skip
        print(f"yihu grammar mine: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_document:
        document = {"sayings": len(plan), "files": [str(path) for path in paths]}
        print(json.dumps(document, ensure_ascii=False))
        return
    for path in paths:
        print(path)


def _plan(
    folder: Path,
    grammar: Grammar,
    dialects: list[str] | None,
    voices: list[str] | None,
    count: int | None,
    seed: int,
) -> list[Planned]:
    """The part that is asked for of the plan begun in `folder`, or of a new one."""
    for name in dialects or ():
        if name not in grammar.dialects:
            known = ", ".join(grammar.dialects)
            raise MiningError(f"there is no dialect {name}; there are {known}")
    plan = kept_plan(folder)
    if plan is None:
        plan = make_plan(
            grammar, dialects or list(grammar.dialects), voices or VOICES, count or COUNT, seed
        )
        keep_plan(folder, plan)
    wanted = [one for one in plan if not dialects or one.dialect in dialects]
    missing = {*(dialects or ())} - {one.dialect for one in wanted}
    if missing or (voices and {*voices} != {one.voice for one in plan}):
        raise MiningError(
            f"the plan in {folder} was made with other dialects or voices: take another --seed"
        )
    if count and count > len(wanted):
        raise MiningError(
            f"the plan in {folder} has {len(wanted)} such sayings: take another --seed for more"
        )
    return wanted[:count]


def _speak(folder: Path, plan: list[Planned], settings: Settings, processes: int) -> None:
    jobs = unspoken(folder, plan)
    for _ in _progress(speak(jobs, settings.models, processes), len(jobs), "spoken"):
        pass


def _progress(things: Iterable[T], count: int, done: str) -> Iterator[T]:
    for number, thing in enumerate(things, 1):
        yield thing
        if number % EVERY == 0 or number == count:
            _tell(f"{done} {number} of {count}")


def _tell(line: str) -> None:
    print(f"yihu: {line}", file=sys.stderr)


def _write_tables(
    root: Path, model: str, hearings: list[Hearing], matcher: Matcher, origin: str
) -> list[Path]:
    paths = []
    found = heard_as(hearings, matcher)
    for dialect in sorted({hearing.saying.dialect for hearing in hearings}):
        own = [hearing.saying for hearing in hearings if hearing.saying.dialect == dialect]
        about = [
            f"mined: {origin}, {len(own)} of them in this dialect",
            f"voices: kokoro {kokoro.version()}, {', '.join(sorted({one.voice for one in own}))}",
        ]
        path = heard.table(root, dialect, model)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as file:
            file.write(heard.written(found.get(dialect, ()), about).encode())
        paths.append(path)
    return paths
