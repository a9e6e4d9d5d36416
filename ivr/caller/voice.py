"""The voice a simulated caller speaks with: not the agent's."""

from __future__ import annotations

import re
from collections.abc import Callable

from audio.engines import make_cache, make_phoneme_cache
from audio.kokoro_alphabet import spell
from audio.synthesiser import Speech, SynthesiserError
from ivr.config import ROOT, Settings
from ivr.understanding.dialects import MANDARIN
from ivr.understanding.grammar import load_pronunciation
from ivr.understanding.pronunciation import Pronunciation, Reading
from ivr.understanding.syllables import Syllable, han

VOICE = "zm_yunjian"
SPEED = 0.85
"""An elder's pace. Faster, this voice's shortest answers (对) lose what tells them apart."""
BROAD = 0.02
"""Cost of a sound rule that a broad speaker of the dialect follows; what costs more, some say."""
_CLAUSE = re.compile(r"[^，。！？、；,.!?;\s]+")


def caller_voice(settings: Settings, dialect: str = MANDARIN) -> Callable[[str], Speech]:
    """Speaks a text with the sounds of a dialect; the same text comes from the cache.

    Raises GrammarError; what is given raises SynthesiserError when it is called. A dialect's
    sounds are spoken by Kokoro, whatever the site's own voice is.
    """
    chosen = settings.synthesiser
    if dialect == MANDARIN:
        voice = VOICE if chosen.engine == "kokoro" else chosen.voice
        texts = make_cache(
            chosen.engine, voice, settings.models, settings.cache_dir, threads=chosen.threads
        )
        return lambda text: texts.make(text, speed=SPEED)
    sounds = make_phoneme_cache(VOICE, settings.models, settings.cache_dir, threads=chosen.threads)
    pronunciation = load_pronunciation(ROOT / "grammars" / dialect)
    return lambda text: sounds.make(phonemes(text, pronunciation), speed=SPEED)


def phonemes(text: str, pronunciation: Pronunciation) -> str:
    """The text in Kokoro's alphabet, as a broad speaker of the dialect says it.

    Raises SynthesiserError if nothing of it can be read.
    """
    clauses = []
    for clause in filter(han, _CLAUSE.findall(text)):
        said = zip(pronunciation.read(clause), pronunciation.pitches(clause), strict=True)
        clauses.append("".join(spell(_broad(reading), pitches) for reading, pitches in said))
    if not clauses:
        raise SynthesiserError(f"there is nothing to say in {text!r}")
    return ", ".join(clauses)


def _broad(reading: Reading) -> Syllable:
    usual = reading[0][0]
    return [way for way, cost in reading if cost <= BROAD or way == usual][-1]
