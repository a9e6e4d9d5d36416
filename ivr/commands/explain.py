"""`yihu grammar explain`: why a text or a recording means what it does."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from ivr.commands.understand import as_json
from ivr.commands.utterance import Asked, Text, Wav, heard
from ivr.config import load_settings
from ivr.understanding.explaining import Explanation, Spoken, Step
from ivr.understanding.explaining import explain as explanation_of
from ivr.understanding.meaning import State


def explain(
    wav: Wav = None,
    text: Text = None,
    state: Asked = State.OPEN,
    as_document: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Tells why an utterance means what it does: phrases, their sounds, and what makes it sure."""
    settings = load_settings()
    given = heard("yihu grammar explain", wav, text, state, settings)
    now = datetime.now(settings.zone)
    found = explanation_of(given.hypotheses, state, given.matcher, now)
    meaning = as_json(found.meaning, given.hypotheses, now)
    if as_document:
        print(json.dumps({**meaning, **_document(found)}, ensure_ascii=False))
    else:
        value = meaning["value"] or meaning["when"] or ""
        print(f"{meaning['kind']} {meaning['code'] or ''} {meaning['confidence']} {value}".rstrip())
        _tell(found)


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "looked_at": [
            {"text": one.text, "score": round(one.score, 4), "weight": round(one.weight, 4)}
            for one in found.heard
        ],
        "reasons": [
            {
                **_spoken(reason.spoken),
                "confidence": round(reason.confidence, 4),
                "clues": {name: round(v, 4) for name, v in asdict(reason.clues).items()},
                "added": {name: round(v, 4) for name, v in reason.added.items()},
            }
            for reason in found.reasons
        ],
        "everyday": _spoken(found.everyday) if found.everyday else None,
        "times": [[asdict(word) for word in words] for words in found.times],
        "answers": [asdict(answer) for answer in found.answers],
    }


def _spoken(spoken: Spoken) -> dict[str, Any]:
    return {
        **asdict(spoken),
        "steps": [
            {
                **asdict(step),
                "said_phones": "".join(step.said_phones),
                "heard_phones": "".join(step.heard_phones),
            }
            for step in spoken.steps
        ],
    }


def _tell(found: Explanation) -> None:
    if not found.heard:
        print("nothing was heard")
        return
    print("\nheard:")
    for number, one in enumerate(found.heard, start=1):
        print(f"  {number}. {one.text}  score {one.score:.2f}, counts for {one.weight:.2f}")
    for number, words in enumerate(found.times, start=1):
        for word in words:
            print(f"time in {number}: {word.heard} is {word.label} ({word.dialect}), "
                  f"{word.clarity:.2f} clear")  # fmt: skip
    for answer in found.answers:
        print(f"answer: {answer.code} {answer.confidence:.2f} for {answer.phrase} "
              f"({answer.dialect})")  # fmt: skip
    for reason in found.reasons:
        print(f"\n{reason.spoken.code}, confidence {reason.confidence:.3f}")
        _tell_spoken(reason.spoken)
        added = sorted(reason.added.items(), key=lambda item: -abs(item[1]))
        told = [f"{name} {value:+.2f}" for name, value in added if value]
        print(f"  log-odds {sum(reason.added.values()):+.2f} = {', '.join(told)}")
    if found.everyday:
        print("\ntalk that orders nothing")
        _tell_spoken(found.everyday)


def _tell_spoken(spoken: Spoken) -> None:
    print(
        f"  {spoken.phrase} ({spoken.dialect}): {spoken.share:.2f} of it heard, evidence "
        f"{spoken.evidence:.2f}, best in {spoken.hypothesis + 1}"
    )
    for step in spoken.steps:
        if step.distance is not None:
            distance = f"{step.distance:.2f}"
        else:
            distance = "missed" if step.said else "extra"
        print(f"    {_told(step, 'said')}{_told(step, 'heard')}{distance:>8}{step.adds:>+8.2f}")


def _told(step: Step, side: str) -> str:
    character, phones = (
        (step.said, step.said_phones) if side == "said" else (step.heard, step.heard_phones)
    )
    # a Chinese character is as wide as two letters; phones may carry marks of no width
    wide = f"{character}  " if character else "    "
    spelled = "".join(phones)
    width = sum(mark not in "̩̃͡" for mark in spelled)
    return wide + spelled + " " * max(1, 12 - width)
