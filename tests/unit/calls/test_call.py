"""Whole calls over real sockets, by a caller with a script."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE_S, Caller, World

from audio.sound import read_wav
from ivr.recordings import turns_folder
from ivr.telephony.audiosocket import Hangup
from store import calls as store_calls
from store.database import StoreError
from store.elders import Registration, register
from store.models import Outcome


def at_home(world: World) -> None:
    """The caller is registered, with an address."""
    register(world.store, Registration("13812345678", "王秀英", "苏州市姑苏区平江路1号"))


async def test_an_order_from_first_word_to_goodbye(world: World) -> None:
    at_home(world)
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    assert not caller.orders, "nothing is booked without a yes"
    caller.say("对")
    await caller.hears()
    [order] = caller.orders
    assert (order.code, order.number, order.address) == ("cleaning", 1, "苏州市姑苏区平江路1号")
    assert order.said_time == "明天九点来打扫"
    assert order.scheduled_for is not None
    await caller.hears_all()
    caller.say("不用了")
    assert await caller.is_let_go() == "hangup"
    assert caller.record.outcome is Outcome.ORDERED
    assert [turn.kind for turn in caller.turns] == ["start", "heard", "heard", "heard"]
    start, wanted, *_ = caller.turns
    assert "王老师" in start.said
    assert wanted.heard == "明天九点来打扫"
    assert wanted.meaning["code"] == "cleaning"
    assert wanted.hypotheses[0]["text"] == "明天九点来打扫"
    assert {"recognise", "understand", "first_frame"} <= set(wanted.stages_ms)


async def test_the_recogniser_is_asked_once_when_the_guess_was_right(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears()
    assert len(world.ears.asked) == 1
    await caller.hang_up()


async def test_who_goes_on_after_a_pause_is_heard_out(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("那个", then_ms=96)
    caller.say("明天九点来打扫", ms=900)
    await caller.hears_all()
    await caller.hang_up()
    assert [turn.heard for turn in caller.turns[1:]] == ["明天九点来打扫"]


async def test_the_address_is_kept_as_a_voice_note(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("对")
    await caller.hears_all()
    caller.say("平江路一号", ms=1000, then_ms=500)
    await caller.hears_all()
    await caller.hang_up()
    [order] = caller.orders
    assert order.address is None
    note = Path(order.note or "")
    assert note.parent == world.settings.recordings
    kept = os.stat(note)
    assert stat.S_IMODE(kept.st_mode) == 0o600
    assert 1000 * 16 <= kept.st_size <= 1600 * 16
    assert caller.turns[-1].kind == "note"
    assert caller.record.outcome is Outcome.ORDERED


async def test_who_says_no_address_leaves_no_file(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("对")
    await caller.hears_all()
    await caller.hears_all()
    await caller.hang_up()
    assert caller.orders[0].note is None
    assert not world.settings.recordings.exists()


async def test_a_help_call_in_place_of_the_address_is_no_note(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("对")
    await caller.hears_all()
    caller.say("救命", then_ms=500)
    assert await caller.is_let_go() == "emergency"
    assert len(caller.orders) == 1


@pytest.mark.parametrize(("sentence", "where"), [("转人工", "operator"), ("救命", "emergency")])
async def test_a_human_at_the_first_word(world: World, sentence: str, where: str) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say(sentence)
    assert await caller.is_let_go() == where
    assert caller.record.outcome == where
    assert caller.record.next == where


async def test_keys_interrupt_and_work_at_any_time(world: World) -> None:
    caller = await world.call()
    await caller.hears()
    caller.press("0")
    assert await caller.is_let_go() == "operator"
    assert caller.turns[1].heard == "0"


async def test_an_order_confirmed_by_key(world: World) -> None:
    at_home(world)
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.press("1")
    await caller.hears()
    assert len(caller.orders) == 1
    await caller.hang_up()
    assert caller.record.outcome is Outcome.ORDERED


async def test_the_caller_may_talk_over_a_prompt(world: World) -> None:
    caller = await world.call()
    await caller.hears()
    await caller.says_over_the_prompt("明天九点来打扫")
    await caller.hears_all()
    caller.press("1")
    await caller.hears()
    assert len(caller.orders) == 1
    await caller.hang_up()


async def test_silence_is_asked_about_and_then_handed_to_a_human(world: World) -> None:
    caller = await world.call()
    assert await caller.is_let_go() == "operator"
    assert [turn.kind for turn in caller.turns] == ["start", "silence", "silence"]


async def test_a_cough_changes_nothing(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    cough = np.random.default_rng(1).normal(0, 1, 130 * 8) * 1500
    await caller.sounds(np.concatenate([cough, np.zeros(1500 * 8)]).astype(np.int16))
    caller.say("转人工")
    await caller.is_let_go()
    assert caller.turns[-1].heard == "转人工"


async def test_a_failing_recogniser_leads_to_a_human_and_not_to_silence(world: World) -> None:
    world.ears.broken = True
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("明天九点来打扫")
    assert await caller.is_let_go() == "operator"


async def test_a_hung_recogniser_is_covered_by_words_and_then_a_human(world: World) -> None:
    world.ears.go.clear()
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.press("0")
    assert await caller.is_let_go() == "operator"


async def test_a_failing_voice_leads_to_a_human(world: World) -> None:
    world.voice.missing = world.voice.broken = True
    caller = await world.call()
    assert await caller.is_let_go() == "operator"
    assert caller.record.outcome is Outcome.FAILED
    assert caller.record.reason == "SynthesiserError"


async def test_missing_pieces_are_made_on_the_way(world: World) -> None:
    world.voice.missing = True
    caller = await world.call()
    await caller.hears()
    assert any("一呼" in text for text, _ in world.voice.made)
    await caller.hang_up()


async def test_a_store_that_fails_leads_to_a_human_and_to_no_booked(
    world: World, monkeypatch
) -> None:
    at_home(world)
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()

    def fail(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr("store.orders.book", fail)
    caller.say("对")
    assert await caller.is_let_go() == "operator"
    assert not caller.orders
    assert "订好了" not in caller.turns[-1].said


async def test_a_store_that_does_not_answer_keeps_nobody_in_silence(
    world: World, monkeypatch
) -> None:
    """Who is let go is let go before the end of the call is written."""
    held, let_go = threading.Event(), threading.Event()
    end_call = store_calls.end_call

    def slowly(*arguments: object, **more: object) -> None:
        let_go.wait(PATIENCE_S)
        end_call(*arguments, **more)  # type: ignore[arg-type]
        held.set()

    monkeypatch.setattr("store.calls.end_call", slowly)
    caller = await world.call()
    await caller.hears_all()
    caller.press("0")
    await caller.hears_the_end()
    assert await world.admission.next(caller.uuid) == "operator"
    assert not held.is_set()
    let_go.set()
    assert await asyncio.to_thread(held.wait, PATIENCE_S)
    await world.over()
    assert caller.record.ended_at is not None


async def test_a_bug_in_one_call_leads_that_caller_to_a_human(world: World, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ivr.dialogue.conversation.advance", fail)
    caller = await world.call()
    await caller.hears_all()
    caller.say("对")
    assert await caller.is_let_go() == "operator"
    assert caller.record.reason == "ZeroDivisionError"


@pytest.mark.parametrize("asked", [0, 2])
@pytest.mark.parametrize("when", ["prompt", "question", "speech", "thinking"])
async def test_hanging_up_leaves_nothing_behind(world: World, when: str, asked: int) -> None:
    caller = await world.call()
    for sentence in ("明天九点来打扫", "对", "平江路一号")[:asked]:
        await caller.hears_all()
        caller.say(sentence, then_ms=500)
    await caller.hears()
    if when != "prompt":
        await caller.hears_all() if when == "question" else caller.press("*")
        if when == "speech":
            caller.say("对", then_ms=0)
        if when == "thinking":
            world.ears.go.clear()
            caller.say("对", then_ms=96)
            await asyncio.sleep(0)
    await caller.hang_up()
    assert caller.record.ended_at is not None
    assert caller.record.outcome is (Outcome.ORDERED if caller.orders else Outcome.ABANDONED)
    assert len(caller.orders) <= 1
    assert world.admission.present == 0


async def test_hanging_up_at_once(world: World) -> None:
    caller = await world.call()
    caller.send(Hangup())
    await caller.hang_up()
    assert world.admission.present == 0


async def test_a_shutdown_hands_callers_to_humans(world: World) -> None:
    caller = await world.call()
    await caller.hears()
    await world.server.close()
    assert await caller.is_let_go() == "operator"
    assert caller.record.outcome is Outcome.FAILED


def kept_sound(world: World, caller: Caller) -> list[Path]:
    return sorted(turns_folder(world.settings, caller.uuid).glob("*"))


async def test_what_was_said_can_be_listened_to_by_the_human_who_takes_over(world: World) -> None:
    caller = await world.call()
    await caller.hears_all()
    caller.say("明天九点来打扫")
    await caller.hears_all()
    caller.say("今天天气好", ms=600)
    await caller.hears_all()
    caller.say("转人工")
    assert await caller.is_let_go() == "operator"
    heard = [turn for turn in caller.turns if turn.kind == "heard"]
    files = kept_sound(world, caller)
    assert [path.name for path in files] == [f"{turn.index}.wav" for turn in heard]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    heard_again = world.ears.recognise(read_wav(files[1]))
    assert heard_again[0].text == "今天天气好"
    assert caller.record.summary["order"]["code"] == "cleaning"
    assert caller.record.summary["order"]["said_time"] == "明天九点来打扫"


async def test_no_sound_is_kept_of_a_call_without_a_human(world: World) -> None:
    at_home(world)
    caller = await world.call()
    for sentence in ("明天九点来打扫", "对", "不用了"):
        await caller.hears_all()
        caller.say(sentence)
    assert await caller.is_let_go() == "hangup"
    assert not world.settings.recordings.exists()


async def test_a_site_may_keep_no_sound_at_all(world: World) -> None:
    world.settings.recording.turns_days = 0
    caller = await world.call()
    await caller.hears_all()
    caller.say("转人工")
    assert await caller.is_let_go() == "operator"
    assert not kept_sound(world, caller)


async def test_a_full_disk_keeps_nobody_from_a_human(world: World) -> None:
    world.settings.data_dir.mkdir(exist_ok=True)
    world.settings.recordings.write_text("in the way of the folder")
    caller = await world.call()
    await caller.hears_all()
    caller.say("转人工")
    assert await caller.is_let_go() == "operator"
    assert caller.record.outcome is Outcome.OPERATOR


async def test_two_callers_do_not_hear_each_other(world: World) -> None:
    first, second = await world.call("13812345678"), await world.call("13912345678")
    await asyncio.gather(first.hears_all(), second.hears_all())
    first.say("转人工")
    second.say("明天九点来打扫")
    await second.hears_all()
    second.press("1")
    await second.hears()
    assert await world.admission.next(first.uuid) == "operator"
    assert len(second.orders) == 1
    assert not first.orders
    await asyncio.gather(first.hang_up(), second.hang_up())


async def test_numbers_are_masked_in_logs(world: World, capsys: pytest.CaptureFixture) -> None:
    at_home(world)
    caller = await world.call()
    await caller.hears()
    await caller.hang_up()
    written = "".join(capsys.readouterr())
    assert "138****5678" in written
    assert "13812345678" not in written
    assert "平江路" not in written
