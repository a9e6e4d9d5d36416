"""Calls are recorded only where a site asks for it, and callers are told."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from call_fixtures import sounds_like
from conftest import Site
from stand_in import CALL_S, agent, call_until

from audio.engines import make_recogniser
from audio.sound import read_wav, to_speech
from ivr.recordings import call_recording
from ivr.telephony import pbx

TOLD = "会录音"


@pytest.fixture(scope="module")
def recording_site(make_site: Callable[..., Site]) -> Site:
    site = make_site(YIHU_RECORDING__CALLS="true")
    site.start_asterisk()
    return site


def recording(site: Site, call: UUID) -> Path:
    place = pbx.find_place(site.settings)
    assert place is not None
    return call_recording(place, call)


async def test_recorded_caller_is_told_and_can_be_listened_to(recording_site: Site) -> None:
    call, site = uuid4(), recording_site
    chosen = site.settings.recogniser
    listener = make_recogniser(chosen.engine, chosen.model, site.settings.models)
    async with agent(site, "queue"):
        # The queue has begun to speak: what was said before, about the queue, is on the recording.
        report, _ = await call_until(site, "QueueCallerJoin", call_id=call)
    path = recording(site, call)
    async with asyncio.timeout(CALL_S):
        while not path.exists() or not path.stat().st_size:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sounds_like(listener, report.heard, TOLD)
    kept = to_speech(read_wav(path))
    assert sounds_like(listener, kept, "转人工")
    assert not sounds_like(listener, kept, TOLD)


async def test_nothing_is_recorded_unless_a_site_asks_for_it(asterisk: Site) -> None:
    call = uuid4()
    async with agent(asterisk, "queue"):
        await call_until(asterisk, "QueueCallerJoin", call_id=call)
    assert not list(recording(asterisk, call).parent.iterdir())
