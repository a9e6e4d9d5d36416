"""One utterance given on the command line, as a recording or as text."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from audio.recogniser import Hypothesis, RecogniserError
from audio.sound import SoundError, read_wav
from ivr.config import ROOT, Settings
from ivr.engine import load_recogniser
from ivr.evaluation import QUESTIONS
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher
from ivr.understanding.meaning import State
from ivr.understanding.written import Written

Wav = Annotated[Path | None, typer.Option(help="A recording of one utterance.")]
Text = Annotated[str | None, typer.Option(help="The utterance as text.")]
Asked = Annotated[State, typer.Option(help="What has just been asked.")]


@dataclass(frozen=True, slots=True)
class Given:
    """What was heard of it, and the grammars to understand it with."""

    hypotheses: list[Hypothesis]
    matcher: Matcher
    recognise_s: float
    """0 for a text."""


def heard(command: str, wav: Path | None, text: str | None, state: State, site: Settings) -> Given:
    """Ends the command with what is wrong: 2 unless exactly one is given, 1 if it cannot be."""
    if (wav is None) == (text is None):
        print(f"{command}: give either --wav FILE or --text TEXT", file=sys.stderr)
        raise typer.Exit(2)
    try:
        matcher = Matcher.load(ROOT / "grammars", site.learned)
        if wav is None:
            return Given([Hypothesis(text or "", 0.0)], matcher, 0.0)
        samples = read_wav(wav)
        recogniser = load_recogniser(site.recogniser, site)
        started = time.perf_counter()
        hypotheses = recogniser.recognise(samples, question=QUESTIONS[state])
        return Given(hypotheses, matcher, time.perf_counter() - started)
    except (GrammarError, RecogniserError, SoundError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def written_grammar(command: str) -> Written:
    """What messages to us are understood by; ends the command with 1 if that is wrong."""
    try:
        return Written.load(ROOT / "grammars")
    except GrammarError as error:
        print(f"{command}: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
