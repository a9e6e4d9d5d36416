"""`yihu say`: hear how a text is spoken on the telephone."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from audio.engines import make_cache
from audio.pronunciation import phonemes, pinyin
from audio.recogniser import TELEPHONE_HZ
from audio.sound import write_wav
from audio.synthesiser import SynthesiserError
from ivr.config import load_settings


class Engine(StrEnum):
    KOKORO = "kokoro"
    PYTTSX3 = "pyttsx3"


def add_to(app: typer.Typer) -> None:
    app.command()(say)


def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    save: Annotated[Path | None, typer.Option(help="WAV file to write.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Default: the site's.")] = None,
    voice: Annotated[str | None, typer.Option(help="Default: the site's.")] = None,
    speed: Annotated[float | None, typer.Option(min=0.5, max=1.5)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Speaks a text as callers hear it; shows its pinyin, and saves it."""
    settings = load_settings()
    chosen = settings.synthesiser
    cache = make_cache(
        engine or chosen.engine,
        voice or chosen.voice,
        settings.models,
        settings.cache_dir,
        threads=chosen.threads,
    )
    try:
        speech = cache.make(text, speed=speed or chosen.speed)
        if save is not None:
            write_wav(save, speech)
    except (SynthesiserError, OSError) as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    seconds = len(speech) / TELEPHONE_HZ
    if as_json:
        row = {
            "text": text,
            "pinyin": pinyin(text),
            "phonemes": phonemes(text),
            "seconds": round(seconds, 2),
            "file": str(save) if save else None,
        }
        print(json.dumps(row, ensure_ascii=False))
    else:
        print(f"{pinyin(text)}\n{phonemes(text)}\n{seconds:.1f} s" + (f", {save}" if save else ""))
