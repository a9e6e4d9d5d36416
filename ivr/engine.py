"""The recogniser that a site, or one dialect of its callers, has been given."""

from __future__ import annotations

from audio.engines import make_recogniser
from audio.recogniser import Recogniser
from ivr.config import ROOT, EngineSettings, Settings

SOUNDS = ROOT / "grammars" / "sounds"
"""What mining learned of each model, to hear single sounds with."""


def load_recogniser(
    chosen: EngineSettings, settings: Settings, *, shared: bool = False
) -> Recogniser:
    """shared: by many callers, for whom each of its threads works on an utterance of its own.

    Raises RecogniserError saying what to install when its model is missing.
    """
    return make_recogniser(
        chosen.engine,
        chosen.model,
        settings.models,
        threads=chosen.threads,
        workers=chosen.threads if shared else 1,
        beam=chosen.beam,
        phones_folder=SOUNDS,
    )
