"""An elder's telephone at the far end of the trunk: rung by us, answered, talked into."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
from call_fixtures import PATIENCE_S
from phone import Ring

from ivr.caller.ear import LOUD
from ivr.caller.voice import caller_voice
from ivr.config import Settings
from ivr.understanding.dialects import MANDARIN

RATE = 8000
FRAME = 160
PAUSE_S = 1.2
"""Silence after which somebody has finished: longer than the pauses inside a prompt."""
TIMES = 4
"""So often something is said until it has been understood."""


HELLO = "喂？"


class ElderAtHome:
    """Somebody who speaks a dialect, and what they are going to say: a machine that first has to
    find its voice keeps the caller waiting."""

    def __init__(self, settings: Settings, *texts: str, dialect: str = MANDARIN) -> None:
        voice = caller_voice(settings, dialect)
        self._words = {text: voice(text) for text in (HELLO, *texts)}
        self._from = 0
        """Sample from which on we listen."""

    async def answers(self, ring: Ring) -> None:
        self.ring = ring
        await ring.answer()
        self.says(HELLO)

    def says(self, text: str) -> None:
        self._from = len(self.ring.heard())
        self.ring.says(self._words[text])

    async def listens(self) -> None:
        """Until somebody has said something and fallen silent."""
        async with asyncio.timeout(2 * PATIENCE_S):
            while not self._finished():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        self._from = len(self.ring.heard())

    async def says_until(self, text: str, understood: Callable[[], object]) -> None:
        """Says it when asked, and again when asked again."""
        for _ in range(TIMES):
            await self.listens()
            self.says(text)
            if await self._comes_true(understood):
                return
        raise AssertionError(f"{text} has not been understood")

    async def _comes_true(self, understood: Callable[[], object]) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await asyncio.to_thread(understood):
                    if self._finished() and not self._speaking:
                        return bool(await asyncio.to_thread(understood))
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return False
        return True

    @property
    def _speaking(self) -> bool:
        return self.ring.media is not None and self.ring.media.playing

    def _finished(self) -> bool:
        heard = self.ring.heard()[self._from :].astype(np.float32)
        frames = heard[: len(heard) // FRAME * FRAME].reshape(-1, FRAME)
        loud = np.flatnonzero((frames**2).mean(axis=1) > LOUD**2)
        return len(loud) > 10 and (len(frames) - 1 - int(loud[-1])) * FRAME / RATE > PAUSE_S
