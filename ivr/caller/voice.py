"""The voice a simulated caller speaks with: not the agent's."""

from __future__ import annotations

import re
from collections.abc import Callable

from audio.engines import make_cache, make_phoneme_cache
from audio.kokoro_alphabet import spell
from audio.synthesiser import Speech, SynthesiserError
from ivr.config import Settings
from ivr.understanding.pronunciation import Pronunciation
from ivr.understanding.syllables import han

VOICE = "zm_yunjian"
SPEED = 0.85
"""An elder's pace. Faster, this voice's shortest answers (对) lose what tells them apart."""
_CLAUSE = re.compile(r"[^，。！？、；,.!?;\s]+")


def caller_voice(settings: Settings) -> Callable[[str], Speech]:
    """Speaks a text; the same text comes from the cache. Raises SynthesiserError when called."""
    chosen = settings.synthesiser
    voice = VOICE if chosen.engine == "kokoro" else chosen.voice
    cache = make_cache(
        chosen.engine, voice, settings.models, settings.cache_dir, threads=chosen.threads
    )
    return lambda text: cache.make(text, speed=SPEED)


def dialect_voice(settings: Settings, pronunciation: Pronunciation) -> Callable[[str], Speech]:
    """Like caller_voice, with the sounds of a dialect: Kokoro only, as it speaks phonemes."""
    threads = settings.synthesiser.threads
    cache = make_phoneme_cache(VOICE, settings.models, settings.cache_dir, threads=threads)

    def speak(text: str) -> Speech:
        sounds = phonemes(text, pronunciation)
        if not sounds:
            raise SynthesiserError(f"there is nothing to say in {text!r}")
        return cache.make(sounds, speed=SPEED)

    return speak


def phonemes(text: str, pronunciation: Pronunciation) -> str:
    """The text in Kokoro's alphabet, each character in the dialect's first reading and its tone."""
    clauses = []
    for clause in filter(han, _CLAUSE.findall(text)):
        said = zip(pronunciation.read(clause), pronunciation.pitches(clause), strict=True)
        clauses.append("".join(spell(reading[0][0], pitches) for reading, pitches in said))
    return ", ".join(clauses)
