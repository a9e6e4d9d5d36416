"""`yihu bench calls`: a load of real calls to the running system, and what came of it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlmodel import col, select

from audio.sound import SoundError, read_wav, to_speech
from audio.synthesiser import SynthesiserError
from ivr.bench.load import Load, Sounds, run, said_by
from ivr.bench.people import texts
from ivr.bench.report import Known, document, draw
from ivr.caller.simulator import SimulatorError
from ivr.caller.voice import caller_voice
from ivr.catalog import CatalogError, load_catalog
from ivr.commands.opened import opened_store
from ivr.config import load_settings
from ivr.evaluation import ManifestError, read_manifest
from store.database import Store
from store.models import Call, Callback, QueueVisit, Turn, WorkOrder

CLOSING_S = 5.0
"""Until the agent has closed the last calls' rows."""
LOUDNESS_S = 6.0
"""Recordings that are longer are stories, which are no needs to begin a call with."""


def add_to(app: typer.Typer) -> None:
    bench = typer.Typer(no_args_is_help=True, help="Measures the running system under load.")
    bench.command("calls")(calls)
    app.add_typer(bench, name="bench")


def calls(
    concurrency: Annotated[int, typer.Option(min=1, help="Calls at once.")],
    seconds: Annotated[float, typer.Option(min=1, help="Of the steady state.")] = 120.0,
    ramp: Annotated[
        float | None, typer.Option(min=0, help="Seconds until all are calling; 1 a call.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of who calls, and how they talk.")] = 1,
    speech: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST.tsv", help="Recorded needs, for half of the callers."),
    ] = None,
    chart: Annotated[Path | None, typer.Option(metavar="FILE.png")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Simulated people call, answer, pause, interrupt, correct and hang up; the orders are real.

    agent.max_calls is the most that get to the agent at once; the others are queued.
    """
    settings = load_settings()

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    try:
        say("speaking what the callers say")
        sounds = Sounds(said_by(caller_voice(settings), texts()), tuple(_recorded(speech or [])))
        with opened_store(settings) as store:
            load = asyncio.run(
                _measured(
                    settings,
                    store,
                    sounds,
                    concurrency=concurrency,
                    seconds=seconds,
                    ramp_s=float(concurrency) if ramp is None else ramp,
                    seed=seed,
                    say=say,
                )
            )
            known = remembered(store, [placed.call_id for placed in load.placed])
        figures = document(load, known, concurrency)
        if chart is not None:
            draw(load, known, figures, chart)
    except (
        CatalogError, ManifestError, OSError, SimulatorError, SoundError, SynthesiserError
    ) as error:  # fmt: skip
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
    else:
        _show(figures)


async def _measured(settings: Any, store: Store, sounds: Sounds, **how: Any) -> Load:
    load = await run(settings, store, sounds, **how)
    await asyncio.sleep(CLOSING_S)
    return load


def _recorded(manifests: list[Path]) -> list[Any]:
    """Short recordings of somebody who wants a service. Raises ManifestError, SoundError."""
    catalog = load_catalog()
    found = []
    for manifest in manifests:
        for row in read_manifest(manifest, catalog):
            if row.expected in catalog and row.wav:
                sound = to_speech(read_wav(row.wav))
                if len(sound) <= LOUDNESS_S * 8000:
                    found.append(sound)
    return found


def remembered(store: Store, ids: list[UUID]) -> dict[UUID, Known]:
    """What the store knows of these calls. Raises StoreError."""
    known: dict[UUID, Known] = {}
    with store.read() as session:
        for call_id in ids:
            visits = select(QueueVisit).where(QueueVisit.call_id == call_id)
            turns = select(Turn).where(Turn.call_id == call_id).order_by(col(Turn.index))
            known[call_id] = Known(
                session.get(Call, call_id),
                session.exec(turns).all(),
                session.exec(select(WorkOrder).where(WorkOrder.call_id == call_id)).all(),
                session.exec(visits).first(),
                session.exec(select(Callback).where(Callback.call_id == call_id)).first(),
            )
    return known


def _show(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        print(f"{name.replace('_', ' ')}: {value}")
