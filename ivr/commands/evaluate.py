"""`yihu eval`: accuracy and speed over manifests."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from audio.recogniser import RecogniserError
from audio.sound import SoundError
from ivr.commands.understand import configured_recogniser
from ivr.config import ROOT, load_settings
from ivr.evaluation import ManifestError, Result, evaluate, read_manifest, summary
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher


def _print_table(document: dict[str, Any]) -> None:
    print(f"{document['rows']} rows, accuracy {document['accuracy']:.3f}")
    print(f"{'accent':<12}{'rows':>6}{'right':>8}{'top 2':>8}")
    for accent, group in document["by_accent"].items():
        print(f"{accent:<12}{group['n']:>6}{group['accuracy']:>8.3f}{group['top2']:>8.3f}")
    print(f"out of scope taken for a service: {document['false_accept_rate']:.3f}")
    print(f"emergencies missed: {document['missed_emergencies']}")
    for stage, times in document["seconds"].items():
        print(f"{stage}: p50 {times['p50']:.3f} s, p95 {times['p95']:.3f} s")


def _tell_miss(result: Result) -> None:
    heard = result.hypotheses[0].text if result.hypotheses else ""
    got = result.meaning.code or result.meaning.kind
    print(
        f"{result.row.accent}: {result.row.expected} <- {got} "
        f"({result.meaning.confidence:.2f}): {result.row.text} heard as {heard}",
        file=sys.stderr,
    )


def add_to(app: typer.Typer) -> None:
    @app.command("eval")
    def command(
        manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST.tsv...")],
        as_document: Annotated[bool, typer.Option("--json")] = False,
        misses: Annotated[bool, typer.Option(help="Tell each row that went wrong.")] = False,
    ) -> None:
        """Measures understanding: how much is right, by accent and by service, and how fast."""
        settings = load_settings()
        try:
            rows = [row for manifest in manifests for row in read_manifest(manifest)]
        except ManifestError as error:
            print(f"yihu eval: {error}", file=sys.stderr)
            raise typer.Exit(2) from error
        results: list[Result] = []
        try:
            matcher = Matcher.load(ROOT / "grammars")
            heard = any(row.wav for row in rows)
            recogniser = configured_recogniser(settings) if heard else None
            now = datetime.now(settings.zone)
            for result in evaluate(rows, recogniser, matcher, now):
                results.append(result)
                if misses and not result.right:
                    _tell_miss(result)
                if sys.stderr.isatty():
                    print(f"\r{len(results)}/{len(rows)}", end="", file=sys.stderr)
        except (GrammarError, RecogniserError, SoundError) as error:
            print(f"yihu eval: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        document = summary(results)
        if as_document:
            print(json.dumps(document, ensure_ascii=False))
        else:
            _print_table(document)
