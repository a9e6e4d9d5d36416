"""`yihu call`: a real SIP call to the running system, spoken from files or by the synthesiser."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from audio.sound import SoundError, read_wav, to_speech, write_wav
from audio.synthesiser import SynthesiserError
from ivr.caller.record import call_record
from ivr.caller.script import Press, Speak, Step
from ivr.caller.simulator import DEFAULT_NUMBER, NUMBER, CallReport, Simulator, SimulatorError
from ivr.caller.voice import caller_voice
from ivr.commands.opened import opened_store
from ivr.commands.orders import order_document
from ivr.config import ROOT, Settings, load_settings
from ivr.understanding.dialects import MANDARIN, dialect_names
from ivr.understanding.grammar import GrammarError
from store.elders import find_by_phone
from store.phones import of_caller

KEYS = re.compile(r"[0-9*#]+")

ORDER = "yihu.order"
"""Where the names of the options are kept in the order in which they were given."""


class InOrder(TyperCommand):
    """Remembers the order of options across different names: --say X --wav F --key 1 --say Y."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


def add_to(app: typer.Typer) -> None:
    app.command("call", cls=InOrder)(call)


def call(
    ctx: typer.Context,
    wav: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Play a sound file.")
    ] = None,
    say: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Say a text.")] = None,
    dialect: Annotated[
        str, typer.Option(help="How texts are said: a folder name below grammars/.")
    ] = MANDARIN,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", "--digit", metavar="KEYS", help="Press keys: 0 to 9, *, #."),
    ] = None,
    number: Annotated[
        str, typer.Option("--from", metavar="NUMBER", help="The caller's number.")
    ] = DEFAULT_NUMBER,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav", help="Keep both sides: left the caller, right the system."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Calls the running system over SIP, saying each piece when it has fallen silent.

    --wav, --say and --key are done in the order in which they are given.
    """
    settings = load_settings()
    if not NUMBER.fullmatch(number):
        raise typer.BadParameter(f"{number!r} is not a telephone number", param_hint="--from")
    known = dialect_names(ROOT / "grammars")
    if dialect not in known:
        raise typer.BadParameter(
            f"{dialect!r} is none of {', '.join(known)}", param_hint="--dialect"
        )
    given = _in_order(ctx.meta[ORDER], {"wav": wav, "say": say, "key": key})
    try:
        report = asyncio.run(_place(settings, given, number, dialect))
        if save is not None:
            write_wav(save, report.stereo().reshape(-1), channels=2)
        document = _document(settings, report)
    except (SimulatorError, SoundError, SynthesiserError, GrammarError, OSError) as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        _show(document)


def _in_order(
    order: Sequence[str], options: dict[str, Sequence[Any] | None]
) -> list[tuple[str, Any]]:
    """Name and value of each piece as on the command line. Raises BadParameter."""
    rest = {name: iter(values or ()) for name, values in options.items()}
    given = [(name, next(rest[name])) for name in order if name in rest]
    if not given:
        raise typer.BadParameter("say something: --say TEXT, --wav FILE or --key KEYS")
    for name, value in given:
        if name == "key" and not KEYS.fullmatch(value):
            raise typer.BadParameter(f"{value!r} are not keys", param_hint="--key")
    return given


async def _place(
    settings: Settings, given: Sequence[tuple[str, Any]], number: str, dialect: str
) -> CallReport:
    async with Simulator(settings) as simulator:
        steps = await asyncio.to_thread(_steps, settings, given, dialect)
        return await simulator.call(steps, number)


def _steps(settings: Settings, given: Sequence[tuple[str, Any]], dialect: str) -> list[Step]:
    """The caller's script. Raises SoundError, SynthesiserError, GrammarError."""
    voice = caller_voice(settings, dialect)
    steps: list[Step] = []
    for name, value in given:
        match name:
            case "wav":
                steps.append(Speak(to_speech(read_wav(value)), label=value.name))
            case "say":
                steps.append(Speak(voice(value), label=value))
            case "key":
                steps.append(Press(value))
    return steps


def _document(settings: Settings, report: CallReport) -> dict[str, Any]:
    with opened_store(settings) as store:
        record = asyncio.run(call_record(report, store))
        profile = find_by_phone(store, of_caller(report.number))
    name = profile.name if profile else ""
    return {
        "call_id": str(report.call_id),
        "outcome": record.outcome,
        "orders": [order_document(order, name, settings.zone) for order in record.orders],
        "turns": record.turns,
        "answered_ms": report.answered_ms,
        "ended_by": report.ended_by,
        "late_frames": report.late_frames,
    }


def _show(document: dict[str, Any]) -> None:
    for turn in document["turns"]:
        if turn["kind"] != "start":
            waited = f"  ({turn['latency_ms']} ms)" if turn["latency_ms"] is not None else ""
            print(f"  > {turn['heard'] or turn['kind']} [{turn['code'] or '-'}]{waited}")
        print(f"  < {turn['said']}")
    orders = ", ".join(f"{o['code']} {o['scheduled_for'] or ''}" for o in document["orders"])
    print(f"{document['outcome']}: {orders or 'no order'}")
