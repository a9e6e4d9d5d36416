"""Prompts are made once; whatever happens to the disk, the caller hears them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audio.cache import PromptCache
from audio.synthesiser import Speech, SynthesiserError


class Counting:
    """A voice that is quick, and counts."""

    name = voice = version = "counting"

    def __init__(self) -> None:
        self.spoken: list[tuple[str, float]] = []

    def synthesise(self, text: str, *, speed: float) -> Speech:
        if not text:
            raise SynthesiserError("there is nothing to say")
        self.spoken.append((text, speed))
        return np.full(800, len(text), np.int16)


@pytest.fixture
def voice() -> Counting:
    return Counting()


def cache(folder: Path, voice: Counting, identity: str = "voice/1") -> PromptCache:
    return PromptCache(folder / "prompts", identity, lambda: voice.synthesise)


def test_prompt_is_made_once_and_found_after_a_restart(tmp_path: Path, voice: Counting) -> None:
    first = cache(tmp_path, voice)
    assert first.get("您好", speed=0.85) is None
    made = first.make("您好", speed=0.85)
    found = cache(tmp_path, voice).get("您好", speed=0.85)
    assert found is not None and (found == made).all()
    cache(tmp_path, voice).make("您好", speed=0.85)
    assert voice.spoken == [("您好", 0.85)]


@pytest.mark.parametrize(("identity", "speed"), [("voice/2", 0.85), ("voice/1", 0.7)])
def test_other_voice_or_speed_is_another_prompt(
    tmp_path: Path, voice: Counting, identity: str, speed: float
) -> None:
    cache(tmp_path, voice).make("您好", speed=0.85)
    assert cache(tmp_path, voice, identity).get("您好", speed=speed) is None


@pytest.mark.parametrize("damage", [b"", b"RIFF\x00", b"x" * 500])
def test_damaged_file_is_made_anew(tmp_path: Path, voice: Counting, damage: bytes) -> None:
    prompts = cache(tmp_path, voice)
    made = prompts.make("您好", speed=0.85)
    [file] = (tmp_path / "prompts").iterdir()
    file.write_bytes(damage)
    assert prompts.get("您好", speed=0.85) is None
    assert (prompts.make("您好", speed=0.85) == made).all()
    assert prompts.get("您好", speed=0.85) is not None


def test_caller_hears_the_prompt_though_it_cannot_be_kept(tmp_path: Path, voice: Counting) -> None:
    (tmp_path / "prompts").write_text("a file where the folder should be")
    assert len(cache(tmp_path, voice).make("您好", speed=0.85)) == 800


def test_warming_makes_what_is_missing_and_names_what_cannot_be_spoken(
    tmp_path: Path, voice: Counting
) -> None:
    prompts = cache(tmp_path, voice)
    prompts.make("再见", speed=0.85)
    seen: list[tuple[int, int, str]] = []
    failed = prompts.warm(
        ["您好", "再见", "", "您好"], speed=0.85, progress=lambda *step: seen.append(step)
    )
    assert failed == [""]
    assert seen == [(1, 3, "您好"), (2, 3, "再见"), (3, 3, "")]
    assert [text for text, _ in voice.spoken] == ["再见", "您好"]
