"""The recogniser that a site, or one dialect of its callers, has been given."""

from __future__ import annotations

from audio.engines import make_recogniser
from audio.recogniser import Recogniser
from ivr.config import ROOT, EngineSettings, Settings

SOUNDS = ROOT / "grammars" / "sounds"
"""What mining learned of each model, to hear single sounds with."""


def load_recogniser(chosen: EngineSettings, settings: Settings) -> Recogniser:
    """Raises RecogniserError saying what to install when its model is missing."""
    return make_recogniser(
        chosen.engine,
        chosen.model,
        settings.models,
        threads=chosen.threads,
        beam=chosen.beam,
        phones_folder=SOUNDS,
    )
