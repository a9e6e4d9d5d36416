"""`yihu eval`: accuracy and speed over manifests."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from audio.recogniser import RecogniserError
from audio.sound import SoundError
from ivr.catalog import CatalogError, load_catalog
from ivr.config import ROOT, load_settings
from ivr.engine import load_recogniser
from ivr.evaluation import ManifestError, Result, evaluate, read_manifest
from ivr.figures import judged_answers, judged_services, summary
from ivr.reliability import CHARTS, draw, reliability
from ivr.understanding.grammar import GrammarError
from ivr.understanding.match import Matcher

HEARD = 3
"""Utterances told of each confusion; --json has all."""


def _print_shares(title: str, groups: Mapping[str, Mapping[str, float]]) -> None:
    print(f"\n{title:<24}{'rows':>6}{'right':>8}{'top 2':>8}")
    for name, group in groups.items():
        print(f"{name:<24}{group['n']:>6}{group['accuracy']:>8.3f}{group['top2']:>8.3f}")


def _print_stages(groups: Mapping[str, Mapping[str, float | None]]) -> None:
    print(f"\n{'':<24}{'':>6}{'right from':>16}{'wrong, lost in':>24}{'wrong':>11}")
    heads = f"{'sound':>8}{'text':>8}{'recognition':>14}{'matching':>10}{'syllables':>11}"
    print(f"{'by stage':<24}{'rows':>6}{heads}")
    for accent, group in groups.items():
        rate = group["syllable_error_rate"]
        print(
            f"{accent:<24}{group['n']:>6}{group['sound']:>8.3f}{group['text']:>8.3f}"
            f"{group['lost_in_recognition']:>14.3f}{group['lost_in_matching']:>10.3f}"
            + (f"{'-':>11}" if rate is None else f"{rate:>11.3f}")
        )


def _print_confusions(confusions: list[dict[str, Any]]) -> None:
    print("\nexpected → understood: heard (said)")
    for one in confusions:
        heard = [
            h["heard"] if h["heard"] == h["text"] else f"{h['heard'] or '-'} ({h['text']})"
            for h in one["heard"][:HEARD]
        ]
        more = f", {one['n'] - HEARD} more" if one["n"] > HEARD else ""
        print(f"{one['n']:>4}  {one['expected']} → {one['understood']}: {', '.join(heard)}{more}")


def _print_tables(document: dict[str, Any]) -> None:
    print(f"{document['rows']} rows, {document['accuracy']:.3f} right")
    _print_shares("by accent", document["by_accent"])
    if document["by_dialect"].keys() != document["by_accent"].keys():
        _print_shares("by dialect", document["by_dialect"])
    _print_shares("by kind", document["by_kind"])
    _print_shares("by service", document["by_service"])
    if document["by_stage"]:
        _print_stages(document["by_stage"])
    if document["confusions"]:
        _print_confusions(document["confusions"])
    print(f"\nout of scope taken for a service: {document['false_accept_rate']:.3f}")
    print(f"emergencies missed: {document['missed_emergencies']}")
    for missed in document["emergencies_missed"]:
        print(f"      {missed['accent']}: {missed['heard'] or '-'} ({missed['text']})")
    for name, found in document["calibration"].items():
        if found["n"]:
            print(f"confidence of {name}: off by {found['error']:.3f} on average ({found['n']})")
    print(f"\n{'seconds':<24}{'p50':>8}{'p95':>8}{'sum':>8}")
    heard = document["seconds"]["sound"] > 0
    for stage in ("read", "recognise", "understand") if heard else ("understand",):
        times = document["seconds"][stage]
        print(f"{stage:<24}{times['p50']:>8.3f}{times['p95']:>8.3f}{times['sum']:>8.1f}")
    if heard:
        pace = document["recognise_per_second_of_sound"]
        print(f"recognising a second of sound takes {pace:.3f} s")


def _tell_miss(result: Result) -> None:
    print(
        f"{result.row.accent}: {result.row.expected} <- {result.understood} "
        f"({result.meaning.confidence:.2f}): {result.row.text} heard as {result.heard}",
        file=sys.stderr,
    )


def _draw(results: list[Result], chart: Path) -> None:
    services, answers = judged_services(results), judged_answers(results)
    try:
        draw({"services": reliability(services), "answers": reliability(answers)}, chart)
    except OSError as error:
        print(f"yihu eval: {chart} cannot be written: {error}", file=sys.stderr)
        raise typer.Exit(1) from error


def _wrong_usage(problem: object) -> typer.Exit:
    print(f"yihu eval: {problem}", file=sys.stderr)
    return typer.Exit(2)


def add_to(app: typer.Typer) -> None:
    @app.command("eval")
    def command(
        manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST.tsv...")],
        as_document: Annotated[bool, typer.Option("--json")] = False,
        text_only: Annotated[
            bool, typer.Option("--text", help="Understand the texts; nothing is recognised.")
        ] = False,
        chart: Annotated[
            Path | None, typer.Option(help="Write a reliability curve: .png, .svg or .pdf.")
        ] = None,
        learned: Annotated[
            bool, typer.Option(help="With what this site has learned from its calls.")
        ] = True,
        dialect_known: Annotated[
            bool, typer.Option("--dialect-known", help="As from callers whose dialect is known.")
        ] = False,
        misses: Annotated[bool, typer.Option(help="Tell each row that went wrong.")] = False,
    ) -> None:
        """Measures understanding: how much is right, where it is lost, and how long it takes."""
        if chart is not None and (chart.suffix not in CHARTS or not chart.parent.is_dir()):
            raise _wrong_usage(f"--chart {chart}: a .png, .svg or .pdf in a folder that exists")
        settings = load_settings()
        try:
            services = load_catalog()
            rows = [
                row
                for manifest in manifests
                for row in read_manifest(manifest, services, text_only=text_only)
            ]
        except ManifestError as error:
            raise _wrong_usage(error) from error
        except CatalogError as error:
            print(f"yihu eval: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        results: list[Result] = []
        try:
            heard = not text_only and any(row.wav for row in rows)
            recogniser = load_recogniser(settings.recogniser, settings) if heard else None
            matcher = Matcher.load(ROOT / "grammars", settings.learned if learned else None)
            now = datetime.now(settings.zone)
            for result in evaluate(rows, recogniser, matcher, now, dialect_known=dialect_known):
                results.append(result)
                if misses and not result.right:
                    _tell_miss(result)
                if sys.stderr.isatty():
                    print(f"\r{len(results)}/{len(rows)}", end="", file=sys.stderr)
            if sys.stderr.isatty():
                print(file=sys.stderr)
        except (GrammarError, RecogniserError, SoundError) as error:
            print(f"yihu eval: {error}", file=sys.stderr)
            raise typer.Exit(1) from error
        document = summary(results)
        if as_document:
            print(json.dumps(document, ensure_ascii=False))
        else:
            _print_tables(document)
        if chart is not None:
            _draw(results, chart)
