"""`yihu understand`: what a text or a recording means, and why."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from audio.recogniser import Hypothesis, RecogniserError
from audio.sound import SoundError, read_wav
from ivr.config import ROOT, load_settings
from ivr.engine import load_recogniser
from ivr.evaluation import QUESTIONS
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Kind, Meaning, State


def as_json(meaning: Meaning, hypotheses: list[Hypothesis], now: datetime) -> dict[str, Any]:
    """The document that `understand --json` prints, without its times."""
    value: str | int | None = None
    if meaning.kind is Kind.TIME and meaning.when:
        value = meaning.when.resolve(now).isoformat()
    elif meaning.kind is Kind.RATING:
        value = meaning.rating
    return {
        "kind": str(meaning.kind),
        "code": meaning.code or None,
        "confidence": round(meaning.confidence, 4),
        "dialect": meaning.dialect,
        "candidates": [
            {"code": c.code, "confidence": round(c.confidence, 4), "phrase": c.phrase,
             "dialect": c.dialect}
            for c in meaning.candidates
        ],
        "hypotheses": [{"text": h.text, "score": round(h.score, 4)} for h in hypotheses],
        "value": value,
        "when": meaning.when.resolve(now).isoformat() if meaning.when else None,
        "also": list(meaning.also),
    }  # fmt: skip


def add_to(app: typer.Typer) -> None:
    @app.command("understand")
    def command(
        wav: Annotated[Path | None, typer.Option(help="A recording of one utterance.")] = None,
        text: Annotated[str | None, typer.Option(help="The utterance as text.")] = None,
        state: Annotated[State, typer.Option(help="What has just been asked.")] = State.OPEN,
        as_document: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Tells what an utterance means: a service, an answer, a time, a rating, or nothing."""
        if (wav is None) == (text is None):
            print("yihu understand: give either --wav FILE or --text TEXT", file=sys.stderr)
            raise typer.Exit(2)
        settings = load_settings()
        try:
            matcher = Matcher.load(ROOT / "grammars", settings.learned)
            started = time.perf_counter()
            if wav is not None:
                recogniser = load_recogniser(settings.recogniser, settings)
                samples = read_wav(wav)
                started = time.perf_counter()
                hypotheses = recogniser.recognise(samples, question=QUESTIONS[state])
            else:
                hypotheses = [Hypothesis(text or "", 0.0)]
        except (GrammarError, RecogniserError, SoundError) as error:
            print(f"yihu understand: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        recognised = time.perf_counter()
        now = datetime.now(settings.zone)
        meaning = understand(hypotheses, state, matcher, now)
        document = as_json(meaning, hypotheses, now)
        document["seconds"] = {
            "recognise": round(recognised - started, 4) if wav else 0.0,
            "understand": round(time.perf_counter() - recognised, 4),
        }
        if as_document:
            print(json.dumps(document, ensure_ascii=False))
            return
        print(f"{document['kind']} {document['code'] or ''} {document['value'] or ''}".strip())
        print(f"confidence {document['confidence']}, dialect {document['dialect']}")
        for hypothesis in document["hypotheses"]:
            print(f"  heard {hypothesis['text']} ({hypothesis['score']})")
        for candidate in document["candidates"]:
            print(f"  {candidate['code']} {candidate['confidence']} for {candidate['phrase']}")
