"""Dialect speech from a synthesiser that was made for Mandarin.

Kokoro speaks phonemes, not words, so a syllable of any dialect can be written in its alphabet. What
comes out is a Mandarin voice reading Suzhou sounds: enough to learn how those sounds are heard,
and for calls in tests.
"""

from __future__ import annotations

_KOKORO = {
    "t͡ɕ": "ʨ", "t͡ɕʰ": "ʨʰ", "t͡s": "ʦ", "t͡sʰ": "ʦʰ", "ʈ͡ʂ": "ꭧ", "ʈ͡ʂʰ": "ꭧʰ", "d͡ʑ": "ʥ",
    "d͡z": "ʣ", "ʐ": "ɻ", "p͡f": "pf", "p͡fʰ": "pfʰ", "ʉ": "ɥ", "ɦ": "h",
}  # fmt: skip
"""Phones that Kokoro's alphabet writes in another way; all others are written as they are."""
_GLIDES = {"i": "j", "u": "w", "y": "ɥ"}
_VOWELS = frozenset("aeiouyɑəɛɤɨʊæøʉ")
_NASALISED = frozenset("aɑ")


def contour(pitches: str) -> str:
    """Kokoro's arrow for a tone told as pitches from 1 (low) to 5 (high): 51 falls."""
    if not pitches:
        return ""
    low = min(pitches)
    if low not in (pitches[0], pitches[-1]):
        return "↓"
    if pitches[-1] > pitches[0]:
        return "↗"
    return "↘" if pitches[-1] < pitches[0] else "→"


def spell(syllable: tuple[str, ...], pitches: str, *, nasal: bool = False) -> str:
    """One syllable of IPA phones (panphon's spelling) in Kokoro's alphabet.

    `nasal` writes an open vowel and ŋ as a nasal vowel.
    """
    vowels = [place for place, phone in enumerate(syllable) if phone in _VOWELS]
    if not vowels:
        return "".join(_KOKORO.get(phone, phone) for phone in syllable) + contour(pitches)
    written = [_KOKORO.get(phone, phone) for phone in syllable]
    first, last = vowels[0], vowels[-1]
    if len(vowels) > 1 and syllable[first] in _GLIDES:
        written[first] = _GLIDES[syllable[first]]
    if nasal and syllable[last] in _NASALISED and syllable[last + 1 :] == ("ŋ",):
        written[last + 1] = "̃"
        last += 1
    return "".join(written[: last + 1]) + contour(pitches) + "".join(written[last + 1 :])
