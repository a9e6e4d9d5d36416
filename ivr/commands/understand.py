"""`yihu understand`: what a text or a recording means, and why."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer

from audio.recogniser import Hypothesis
from ivr.commands.utterance import Asked, Text, Wav, heard, written_grammar
from ivr.config import load_settings
from ivr.understanding.match import understand
from ivr.understanding.meaning import Kind, Meaning, State
from ivr.understanding.written import Reply


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


def as_read(text: str, reply: Reply) -> dict[str, Any]:
    """The same for a message that somebody has written to us."""
    meaning = Meaning(
        Kind.RATING if reply.score else Kind.ACT if reply.wish else Kind.OOS,
        code=reply.wish,
        confidence=float(bool(reply.score or reply.wish)),
        rating=reply.score,
    )
    document = as_json(meaning, [Hypothesis(text, 0.0)], datetime.now().astimezone())
    return document | {"said": reply.said, "unclear": reply.unclear}


def add_to(app: typer.Typer) -> None:
    @app.command("understand")
    def command(
        wav: Wav = None,
        text: Text = None,
        state: Asked = State.OPEN,
        as_document: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Tells what an utterance means: a service, an answer, a time, a rating, or nothing."""
        recognise_s = 0.0
        if state is State.SMS and text is not None and wav is None:
            written = written_grammar("yihu understand")
            started = time.perf_counter()
            document = as_read(text, written.read(text))
        else:
            settings = load_settings()
            given = heard("yihu understand", wav, text, state, settings)
            recognise_s = given.recognise_s
            now = datetime.now(settings.zone)
            started = time.perf_counter()
            meaning = understand(given.hypotheses, state, given.matcher, now)
            document = as_json(meaning, given.hypotheses, now)
        document["seconds"] = {
            "recognise": round(recognise_s, 4),
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
