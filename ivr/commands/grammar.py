"""`yihu grammar`: are the grammars sound, and do they understand their own test sentences."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from ivr.commands.explain import explain
from ivr.commands.learn import learn
from ivr.commands.mine import mine
from ivr.config import ROOT
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher
from ivr.understanding.rehearsal import Failure, rehearse

REQUIRED = 0.8
"""Share of a dialect's test sentences that must be understood for the check to pass."""

grammar = typer.Typer(no_args_is_help=True, help="The grammars: what can be said, and how.")


@grammar.callback()
def group() -> None:
    """Keeps `check` a command of its own while it is the only one."""


@grammar.command()
def check(
    as_document: Annotated[bool, typer.Option("--json")] = False,
    misses: Annotated[bool, typer.Option(help="Tell each sentence not understood.")] = False,
) -> None:
    """Validates every file and tries the test sentences; fails if a dialect knows too few."""
    try:
        matcher = Matcher.load(ROOT / "grammars")
        outcomes = rehearse(ROOT / "grammars", matcher)
    except GrammarError as error:
        print(f"yihu grammar: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    weak = [outcome for outcome in outcomes if outcome.share < REQUIRED]
    if as_document:
        document = [{**asdict(outcome), "share": round(outcome.share, 4)} for outcome in outcomes]
        print(json.dumps(document, ensure_ascii=False))
    else:
        for outcome in outcomes:
            wrong = len(outcome.failures)
            print(f"{outcome.dialect}: {outcome.sentences} sentences, {wrong} not understood")
            for failure in outcome.failures if misses else ():
                print(f"  {_told(failure)}")
    for outcome in weak:
        print(
            f"yihu grammar: {outcome.dialect} understands {outcome.share:.3f} of its test "
            f"sentences, {REQUIRED} are needed; --misses tells which are not understood",
            file=sys.stderr,
        )
    if weak:
        raise typer.Exit(1)


def _told(failure: Failure) -> str:
    return f"{failure.sentence}: {failure.expected}, taken for {failure.understood}"


grammar.command()(explain)
grammar.command()(learn)
grammar.command()(mine)


def add_to(app: typer.Typer) -> None:
    app.add_typer(grammar, name="grammar")
