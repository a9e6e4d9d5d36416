"""What a caller who speaks dialect says."""

from __future__ import annotations

import pytest

from audio.synthesiser import SynthesiserError
from ivr.caller.voice import phonemes
from ivr.config import ROOT
from ivr.understanding.grammar import load_pronunciation


@pytest.mark.parametrize(
    ("dialect", "text", "sounds"),
    [
        ("suzhou", "汏浴", "da↘hjo↗ʔ"),
        ("guanzhong", "刷", "fa↘"),
    ],
)
def test_same_text_has_the_sounds_of_each_dialect(dialect: str, text: str, sounds: str) -> None:
    assert phonemes(text, load_pronunciation(ROOT / "grammars" / dialect)) == sounds


def test_punctuation_is_a_pause_and_numbers_are_said() -> None:
    lanzhou = load_pronunciation(ROOT / "grammars" / "lanzhou")
    assert phonemes("后儿，9点！", lanzhou) == phonemes("后儿 九点", lanzhou)
    assert phonemes("后儿，9点！", lanzhou).count(", ") == 1


def test_nothing_to_say_is_told() -> None:
    with pytest.raises(SynthesiserError, match="nothing to say"):
        phonemes("……", load_pronunciation(ROOT / "grammars" / "suzhou"))
