"""The voice a simulated caller speaks with: not the agent's."""

from __future__ import annotations

from collections.abc import Callable

from audio.engines import make_cache
from audio.synthesiser import Speech
from ivr.config import Settings

VOICE = "zm_yunjian"
SPEED = 0.85
"""An elder's pace. Faster, this voice's shortest answers (对) lose what tells them apart."""


def caller_voice(settings: Settings) -> Callable[[str], Speech]:
    """Speaks a text; the same text comes from the cache. Raises SynthesiserError when called."""
    chosen = settings.synthesiser
    voice = VOICE if chosen.engine == "kokoro" else chosen.voice
    cache = make_cache(
        chosen.engine, voice, settings.models, settings.cache_dir, threads=chosen.threads
    )
    return lambda text: cache.make(text, speed=SPEED)
