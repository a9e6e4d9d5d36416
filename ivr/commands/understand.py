"""`yihu understand`: what a text or a recording means, and why."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from audio.recogniser import Hypothesis
from ivr.commands.utterance import Asked, Text, Wav, heard
from ivr.config import load_settings
from ivr.understanding.match import understand
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
        wav: Wav = None,
        text: Text = None,
        state: Asked = State.OPEN,
        as_document: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Tells what an utterance means: a service, an answer, a time, a rating, or nothing."""
        settings = load_settings()
        given = heard("yihu understand", wav, text, state, settings)
        now = datetime.now(settings.zone)
        started = time.perf_counter()
        meaning = understand(given.hypotheses, state, given.matcher, now)
        document = as_json(meaning, given.hypotheses, now)
        document["seconds"] = {
            "recognise": round(given.recognise_s, 4),
            "understand": round(time.perf_counter() - started, 4),
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
