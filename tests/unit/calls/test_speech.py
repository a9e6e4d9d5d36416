"""Rows of pieces, with a voice that the test holds and lets go."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest

from audio.synthesiser import Speech, SynthesiserError
from ivr.calls import speech
from ivr.calls.speech import SpeechMaker
from ivr.dialogue.step import Piece


class Voice:
    def __init__(self) -> None:
        self.kept = {"您好。": 80, "一呼": 160}
        """Text -> samples."""
        self.go = threading.Event()
        self.go.set()
        self.made: list[tuple[str, float]] = []
        self.resting = threading.Event()

    def get(self, text: str, *, speed: float) -> Speech | None:
        samples = self.kept.get(text)
        return np.ones(samples, np.int16) if samples else None

    def make(self, text: str, *, speed: float) -> Speech:
        self.made.append((text, speed))
        self.go.wait(10)
        if text == "龘":
            raise SynthesiserError("no such character")
        return np.ones(800, np.int16)

    def rest(self) -> None:
        self.resting.set()


@pytest.fixture
async def voice() -> AsyncIterator[Voice]:
    voice = Voice()
    yield voice
    voice.go.set()


@pytest.fixture
async def maker(voice: Voice) -> AsyncIterator[SpeechMaker]:
    maker = SpeechMaker(voice, 0.85)
    maker.start()
    yield maker
    voice.go.set()
    await maker.close()


async def test_pieces_are_joined_with_their_pauses(maker: SpeechMaker) -> None:
    row = maker.ready((Piece("您好。", pause_ms=100), Piece("一呼", pause_ms=500)))
    assert row is not None
    assert len(row) == 80 + 800 + 160, "no pause after the last"


async def test_a_surname_that_is_not_made_yet_is_left_out(maker: SpeechMaker, voice: Voice) -> None:
    row = await maker.speech((Piece("您好。"), Piece("王老师", optional=True), Piece("一呼")))
    assert len(row) == 240
    assert not voice.made


async def test_a_missing_piece_is_made_once(maker: SpeechMaker, voice: Voice) -> None:
    pieces = (Piece("您好。"), Piece("平江路"))
    assert maker.ready(pieces) is None
    rows = await asyncio.gather(maker.speech(pieces), maker.speech(pieces))
    assert [len(row) for row in rows] == [880, 880]
    assert maker.ready(pieces) is not None
    assert voice.made.count(("平江路", 0.85)) == 1


async def test_what_is_said_slower_need_not_be_made(maker: SpeechMaker, voice: Voice) -> None:
    row = maker.ready((Piece("您好。"), Piece("一呼")), slow=True)
    assert row is not None and len(row) == 240 * speech.SLOWER
    assert not voice.made


async def test_a_voice_that_nobody_needs_rests_until_somebody_does(
    maker: SpeechMaker, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "IDLE_S", 0.01)
    await maker.speech((Piece("甲"),))
    assert await asyncio.to_thread(voice.resting.wait, 10)
    assert len(await maker.speech((Piece("乙"),))) == 800


@pytest.mark.parametrize("turns", range(5))
async def test_maker_ends_at_whichever_moment_it_is_told_to(
    maker: SpeechMaker, voice: Voice, turns: int
) -> None:
    await maker.speech((Piece("甲"),))
    maker.prepare(["乙"])
    for _ in range(turns):  # of the event loop, while the piece comes out of the queue
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await maker.close()


async def test_what_is_waited_for_goes_before_what_is_prepared(
    maker: SpeechMaker, voice: Voice
) -> None:
    voice.go.clear()
    maker.prepare(["甲", "乙", "丙"])
    waiting = asyncio.create_task(maker.speech((Piece("丁"),)))
    await asyncio.sleep(0)
    voice.go.set()
    await waiting
    assert [text for text, _ in voice.made].index("丁") <= 1


async def test_a_caller_who_hangs_up_takes_nothing_from_another(
    maker: SpeechMaker, voice: Voice
) -> None:
    voice.go.clear()
    gone = asyncio.create_task(maker.speech((Piece("甲"),)))
    stays = asyncio.create_task(maker.speech((Piece("甲"),)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    voice.go.set()
    assert len(await stays) == 800


async def test_a_text_that_cannot_be_spoken_is_told_and_the_next_one_spoken(
    maker: SpeechMaker,
) -> None:
    with pytest.raises(SynthesiserError, match="no such character"):
        await maker.speech((Piece("龘"),))
    assert len(await maker.speech((Piece("甲"),))) == 800


async def test_a_hung_voice_is_told_in_time(
    maker: SpeechMaker, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "TIMEOUT_S", 0.01)
    voice.go.clear()
    with pytest.raises(SynthesiserError, match="within"):
        await maker.speech((Piece("甲"),))
