"""`yihu grammar learn`: what callers and operators corrected becomes what is listened for."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from audio.recogniser import Hypothesis
from ivr import learning
from ivr.catalog import CatalogError, load_catalog
from ivr.commands.opened import opened_store
from ivr.config import ROOT, Settings, load_settings
from ivr.learning import Suggestion, suggestions
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import Kind, State
from store.corrections import corrections, decide
from store.database import Store
from store.models import Review


def learn(
    review: Annotated[bool, typer.Option("--review", help="Decide each one, here.")] = False,
    approve: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Learn it; may be given again.")
    ] = None,
    reject: Annotated[
        list[int] | None, typer.Option(metavar="ID", help="Do not learn it, or forget it.")
    ] = None,
    by: Annotated[str, typer.Option(help="Who decides.", show_default="user")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Show those decided already as well.")
    ] = False,
    as_document: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows what was misheard in calls and what it meant; a person decides what is learned.

    What is approved is listened for, for callers of the same dialect first, once the agent starts
    again. `yihu eval`, and again with --no-learned, tells what it changes.
    """
    if review and as_document:
        raise typer.BadParameter("--review asks a person; --json goes with --approve and --reject")
    decides = review or bool(approve) or bool(reject)
    settings = load_settings()
    by = by or getpass.getuser()
    try:
        matcher = Matcher.load(ROOT / "grammars", settings.learned)
        names = {code: item.name for code, item in load_catalog().items()}
    except (GrammarError, CatalogError) as error:
        _fail(str(error))
    with opened_store(settings) as store:
        found = suggestions(corrections(store), matcher)
        known = {one.id: one for one in found}
        for id in (*(approve or ()), *(reject or ())):
            if id not in known:
                _fail(f"there is no suggestion {id}; --all shows every one")
        for id in approve or ():
            if not known[id].useful:
                _fail(f"{id} cannot be learned: {known[id].heard!r} is too short or too long")
        for ids, verdict in ((approve, Review.APPROVED), (reject, Review.REJECTED)):
            for id in ids or ():
                _decide(store, known[id], verdict, by)
        paths: list[Path] = []
        try:
            if review:
                _review(store, _pending(found), matcher, names, by)
        finally:
            found = suggestions(corrections(store), matcher)
            if decides:
                paths = _write(settings, found)
    shown = found if everything else _pending(found)
    if as_document:
        document = {
            "suggestions": [_document(one, matcher) for one in shown],
            "learned": [
                {"dialect": row.dialect, "engine": engine, "code": row.code, "heard": row.heard,
                 "count": row.count}
                for (_, engine), rows in learning.learned(found).items() for row in rows
            ],
            "files": [str(path) for path in paths],
        }  # fmt: skip
        print(json.dumps(document, ensure_ascii=False))
        return
    if not review:
        for one in shown:
            print(f"{one.id:5} {_told(one, matcher, names)}")
    if not shown:
        print("nothing to decide", file=sys.stderr)
    if decides:
        for path in paths:
            print(f"yihu: learned: {path}", file=sys.stderr)
        print("yihu: the agent listens for it from its next start on", file=sys.stderr)


def _pending(found: list[Suggestion]) -> list[Suggestion]:
    return [one for one in found if one.useful and one.reviewed(Review.PENDING)]


def _decide(store: Store, one: Suggestion, verdict: Review, by: str) -> None:
    ids = [c.id for c in one.corrections if c.id is not None and c.review is not verdict]
    decide(store, ids, verdict, by, datetime.now(UTC))


def _review(
    store: Store, pending: list[Suggestion], matcher: Matcher, names: dict[str, str], by: str
) -> None:
    """Asks for each; what has been decided stays when the rest is not."""
    for number, one in enumerate(pending, 1):
        print(f"{number}/{len(pending)}  {_told(one, matcher, names)}")
        for text in one.utterances:
            print(f"       {text}")
        answer = ""
        while answer not in ("a", "r", "s", "q"):
            answer = typer.prompt("[a]pprove, [r]eject, [s]kip, [q]uit", default="s").lower()[:1]
        if answer == "q":
            return
        if answer != "s":
            _decide(store, one, Review.APPROVED if answer == "a" else Review.REJECTED, by)


def _write(settings: Settings, found: list[Suggestion]) -> list[Path]:
    try:
        return learning.write(settings.learned, found)
    except OSError as error:
        _fail(f"what is learned cannot be written to {settings.learned}: {error.strerror}")


def _now_taken_for(one: Suggestion, matcher: Matcher) -> tuple[str, float]:
    """Code and confidence of what is understood today; an empty code for no service."""
    now = one.corrections[-1].at
    meaning = understand([Hypothesis(one.heard, 0.0)], State.OPEN, matcher, now, one.dialect)
    code = meaning.code if meaning.kind is Kind.SERVICE else ""
    return code, meaning.confidence


def _told(one: Suggestion, matcher: Matcher, names: dict[str, str]) -> str:
    def named(code: str) -> str:
        return names.get(code, code) if code else "nothing"

    code, confidence = _now_taken_for(one, matcher)
    taken = ", ".join(named(code) for code in one.taken_for)
    line = (
        f"{one.heard} ({one.dialect}, {one.engine}) meant {named(one.code)}:"
        f" {len(one.corrections)} times, {one.by_operators} of them from operators;"
        f" was taken for {taken}, now for {named(code)}"
    )
    if code:
        line += f" ({confidence:.2f})"
    decided = [f"{len(ids)} {state}" for state in Review if (ids := one.reviewed(state))]
    return f"{line}; {', '.join(decided)}"


def _document(one: Suggestion, matcher: Matcher) -> dict[str, Any]:
    code, confidence = _now_taken_for(one, matcher)
    return {
        "id": one.id,
        "heard": one.heard,
        "code": one.code,
        "dialect": one.dialect,
        "engine": one.engine,
        "count": len(one.corrections),
        "by_operators": one.by_operators,
        "utterances": one.utterances,
        "taken_for": one.taken_for,
        "now": {"code": code or None, "confidence": round(confidence, 4)},
        "useful": one.useful,
        "pending": len(one.reviewed(Review.PENDING)),
        "approved": len(one.reviewed(Review.APPROVED)),
        "rejected": len(one.reviewed(Review.REJECTED)),
    }


def _fail(why: str) -> NoReturn:
    print(f"yihu grammar learn: {why}", file=sys.stderr)
    raise typer.Exit(1)
