"""Listens to somebody who waits for an operator, for two things only: that they want to be called
back instead of waiting, and that they need help at once.

They do not talk to us: most of what comes is talk in the room, a television, our own announcements
from the line. So only short utterances are looked at, one at a time, behind those of callers who
wait for an answer; and nothing of it is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np
import structlog

from audio.recogniser import Samples
from ivr.calls.call import Site
from ivr.calls.endpointing import Signal
from ivr.calls.listening import Listening
from ivr.calls.recognition import Attempt
from ivr.telephony.audiosocket import FRAME_BYTES, Audio, Line
from ivr.telephony.wishes import Wish, Wishes
from ivr.understanding.meaning import EMERGENCY, Act, Kind, Meaning, State

LONGEST_S = 5.0
"""A wish is said in less, and an announcement takes longer."""
LOUD = 200
"""Peak of a frame (-44 dB) from which it may be speech: most who wait say nothing, and looking for
speech in that costs as much as in a talk."""
AFTER = 75
"""Frames (1.5 s) after a loud one that are listened to, for the end of what was said."""
BEFORE = 10
"""Frames (0.2 s) before one that are listened to: speech begins softly."""
ALIVE_S = 0.5
"""Asterisk gives a connection up that has sent nothing for 2 s."""
SILENCE = Audio(bytes(FRAME_BYTES))

log = structlog.get_logger()


async def overhear(site: Site, line: Line, wishes: Wishes) -> None:
    """Until they have asked for something, or wait no more; lets go of the connection."""
    wish = Wish.NONE
    try:
        async with asyncio.TaskGroup() as group:
            alive = group.create_task(_keep_alive(line), name=f"overheard {line.uuid}: alive")
            try:
                wish = await _listen(site, line, group)
            finally:
                alive.cancel()
    finally:
        wishes.end(line.uuid, wish)
        line.hang_up()
    if wish:
        log.info("wish of somebody who waits", overheard=str(line.uuid), wish=wish)


async def _listen(site: Site, line: Line, group: asyncio.TaskGroup) -> Wish:
    listening = Listening(site.make_vad(), site.settings.turn)
    looked_at: asyncio.Task[Wish] | None = None
    quiet: deque[bytes] = deque(maxlen=BEFORE)
    loud_for = 0
    async for frame in line:
        if looked_at is not None and looked_at.done():
            if wish := looked_at.result():
                return wish
            looked_at = None
        if not isinstance(frame, Audio):
            continue
        loud = np.abs(np.frombuffer(frame.data, "<i2").astype(np.int32)).max(initial=0) >= LOUD
        loud_for = AFTER if loud else loud_for - 1
        quiet.append(frame.data)
        if loud_for < 0:
            continue
        sound = np.frombuffer(b"".join(quiet), "<i2")
        quiet.clear()
        if Signal.ENDED not in listening.heard(sound, speaking=False):
            continue
        said = listening.utterance().astype(np.float32) / 32768.0
        listening.restart()
        if looked_at is None and len(said) <= LONGEST_S * 8000:
            looked_at = group.create_task(_wish(site, said), name=f"overheard {line.uuid}: wish")
    if looked_at is not None:
        looked_at.cancel()
    return Wish.NONE


async def _wish(site: Site, said: Samples) -> Wish:
    heard = await Attempt(None, site.recognition, said, "", final=False).result()
    if not any(hypothesis.text for hypothesis in heard.hypotheses):
        return Wish.NONE
    meaning = await asyncio.to_thread(
        site.understand, heard.hypotheses, State.WAITING, site.now(), ""
    )
    return wish_of(meaning)


def wish_of(meaning: Meaning) -> Wish:
    match meaning.kind, meaning.code:
        case Kind.SERVICE, code if code == EMERGENCY:
            return Wish.EMERGENCY
        case Kind.ACT, Act.CALLBACK:
            return Wish.CALLBACK
        case _:
            return Wish.NONE


async def _keep_alive(line: Line) -> None:
    while line.ended is None:
        line.send(SILENCE)
        await asyncio.sleep(ALIVE_S)
