"""One call from its first frame to its last.

Two tasks: one takes frames as they come and never waits; the other talks. Between them is a queue
of what has happened. While the caller may have finished, the answer is already worked out on that
chance (`_think`), up to its sound, so that it goes out the moment the silence is long enough.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import structlog

from audio.recogniser import Hypothesis
from audio.synthesiser import Speech
from ivr.calls import metrics
from ivr.calls.endpointing import Signal
from ivr.calls.errands import Errands
from ivr.calls.kept_sound import KeptSound
from ivr.calls.ledger import Ledger, TurnRecord
from ivr.calls.lessons import Lessons
from ivr.calls.listening import Listening, Vad
from ivr.calls.recognition import Attempt, Recognised, Recognition
from ivr.calls.speech import FILLER, SpeechMaker
from ivr.calls.unfinished import sounds_unfinished
from ivr.catalog import Item
from ivr.config import Settings
from ivr.dialogue import conversation
from ivr.dialogue.pieces import caller_pieces
from ivr.dialogue.prompts import Prompts, plain
from ivr.dialogue.state import Conversation, Errand, Stage, Step
from ivr.dialogue.step import (
    Book,
    Booked,
    BookingFailed,
    Digit,
    Event,
    Hangup,
    Heard,
    Kept,
    NoteRecorded,
    NotKept,
    Piece,
    RecordNote,
    Say,
    Settle,
    Silence,
    ToEmergency,
    ToOperator,
)
from ivr.recordings import turns_folder
from ivr.telephony import audiosocket
from ivr.telephony.admission import Admission
from ivr.telephony.audiosocket import FRAME_SAMPLES, Audio, Line
from ivr.telephony.playout import Played, Playout
from ivr.understanding.meaning import EMERGENCY, Act, Kind, Meaning, State
from store import phones
from store.database import Store, StoreError
from store.models import Next, Outcome
from store.privacy import mask_phone

FILLER_AFTER_S = 1.5
"""Waiting longer for an answer than this, an elder thinks that the line is dead."""
FILLER_AGAIN_S = 4.0
MISSING_FRAMES = 25
"""Frames (0.5 s) without sound from the line, after which it counts as silence: a gateway that
suppresses silence sends nothing, and the time for an answer passes all the same."""
HAPPENED_LIMIT = 200
"""What may have happened and not been looked at; only a storm of keys gets there."""
GOODBYE_LIMIT_S = 20.0
"""The last prompt of a call is over by then, whatever happens to it."""
RECORD_S = 1.0
"""A caller who is let go waits for so long for the end of the call to be written, and no longer."""
SHORTEST_TURN_MS = 400
"""A sound without words in it that is shorter than this is taken for a cough and passed over."""

Understand = Callable[[Sequence[Hypothesis], State, datetime, str], Meaning]
"""Any thread may call it. The time is the site's; the caller's dialect is empty if not known."""
T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Site:
    """What all calls share."""

    settings: Settings
    store: Store
    admission: Admission
    recognition: Recognition
    speech: SpeechMaker
    make_vad: Callable[[], Vad]
    understand: Understand
    frames: frozenset[str]
    """Words around a need that are none themselves (我要, 请人来), in all dialects."""
    catalog: Mapping[str, Item]
    prompts: Prompts
    dialect_recognition: Mapping[str, Recognition] = field(default_factory=dict)
    """For callers whose dialect is known and has an engine of its own."""

    def now(self) -> datetime:
        """Site time."""
        return datetime.now(self.settings.zone)


@dataclass(frozen=True, slots=True)
class Answer:
    """What would be done if the turn were over now."""

    recognised: Recognised
    meaning: Meaning | None = None
    """None where nothing was said, or the engine failed."""
    step: Step | None = None
    sound: Speech | None = None
    """Of the step's first prompt."""
    understood_s: float = 0.0


@dataclass(slots=True)
class Thought:
    """An answer being worked out, on the chance that the turn is over."""

    job: Attempt
    task: asyncio.Task[None] | None = None
    answer: Answer | None = None
    failed: Exception | None = None

    def drop(self) -> None:
        self.job.drop()
        if self.task is not None:
            self.task.cancel()


class Passed(StrEnum):
    """What happens because nothing else does."""

    ANSWER_TIME = "answer time"
    """The caller has said nothing for as long as an answer may take."""
    PATIENCE = "patience"
    """The caller has waited for our answer for so long that something must be said."""


What = Signal | audiosocket.Digit | Thought | Passed


@dataclass(frozen=True, slots=True)
class Happened:
    """Something on the line, in one of the caller's turns; of an earlier turn it is stale."""

    turn: int
    what: What


@dataclass(frozen=True, slots=True)
class End:
    """How the agent lets go of a call."""

    next: Next
    outcome: Outcome
    reason: str = ""


@dataclass(slots=True)
class Answering:
    """A turn of the caller's on its way to our answer."""

    kind: str
    heard: str = ""
    said: list[str] = field(default_factory=list)
    stages_ms: dict[str, float] = field(default_factory=dict)
    answer: Answer | None = None
    ended_at: float | None = None
    """Loop time of the last speech."""
    sound: Speech | None = None
    """What the caller said."""


async def answer_call(site: Site, line: Line) -> None:
    """Carries one call; the handler of the AudioSocket server."""
    with structlog.contextvars.bound_contextvars(call=str(line.uuid)):
        await _Call(site, line).run()


class _Call:
    def __init__(self, site: Site, line: Line) -> None:
        self._site = site
        self._line = line
        self._loop = asyncio.get_running_loop()
        phone = site.admission.caller(line.uuid)
        settings = site.settings
        self._ledger = Ledger(
            site.store, line.uuid, phone, site.catalog, settings.subsidised_percent, site.now
        )
        self._errands = Errands(site.store, settings, site.catalog, line.uuid)
        self._listening = Listening(site.make_vad(), settings.turn)
        self._playout = Playout(self._send)
        self._happened: asyncio.Queue[Happened] = asyncio.Queue(HAPPENED_LIMIT)
        self._background: set[asyncio.Task[Any]] = set()
        """Thoughts and writings; all are done before the call is let go of."""
        self._turn = 0
        """Counts what we wait for; each thing that happens belongs to one."""
        self._records = 0
        self._unheard_frames = 0
        self._timed_out = False
        self._bargeable = True
        self._filling = False
        """Whether what is playing is the request to wait, which is said to its end."""
        self._interrupted = False
        """Whether the caller's voice has cut off the prompt of this turn."""
        self._playing: asyncio.Future[Played] | None = None
        self._thought: Thought | None = None
        self._noting = False
        """Whether the next turn is a voice note."""
        self._said_time = ""
        self._orders: list[int] = []
        self._lessons = Lessons()
        self._kept_sound = KeptSound()
        self._state: Conversation | None = None
        self._phone = phones.of_caller(phone)
        log.info("call", phone=mask_phone(phone))

    async def run(self) -> None:
        metrics.CALLS.inc()
        with metrics.IN_PROGRESS.track_inprogress():
            end = End(Next.OPERATOR, Outcome.FAILED, "agent stopped")
            name = f"call {self._line.uuid}"
            listen = asyncio.create_task(self._listen(), name=f"{name}: listening")
            talk = asyncio.create_task(self._talk(), name=f"{name}: talking")
            try:
                self._playout.start()
                await asyncio.wait({listen, talk}, return_when=asyncio.FIRST_COMPLETED)
                end = await self._outcome(listen, talk)
            finally:
                await self._let_go(end, listen, talk)

    async def _outcome(self, listen: asyncio.Task[None], talk: asyncio.Task[End]) -> End:
        for task in (listen, talk):
            if task.done() and (failed := task.exception()) is not None:
                log.error("call failed", exc_info=failed)
                await self._apologise()
                return End(Next.OPERATOR, Outcome.FAILED, type(failed).__name__)
        if talk.done():
            return talk.result()
        return End(Next.HANGUP, Outcome.ABANDONED, self._line.ended or "")

    async def _let_go(self, end: End, *tasks: asyncio.Task[Any]) -> None:
        """Leaves nothing behind: no task, no socket, no half-written record."""
        admission, uuid = self._site.admission, self._line.uuid
        if end.next is Next.EMERGENCY:  # nothing is worth waiting for
            admission.leave(uuid, end.next)
            self._line.hang_up()
        self._drop_thought()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*self._background, return_exceptions=True)
        if end.outcome is Outcome.ABANDONED:
            end = replace(end, outcome=self._outcome_of_talk())
        booked = self._state.booked if self._state else ()
        dialect, lessons = self._lessons.dialect(booked), self._lessons.misunderstood(booked)
        ending = self._ledger.end(
            end.outcome, end.next, end.reason, self._known(), dialect=dialect, lessons=lessons
        )
        keeps_sound = end.next is not Next.HANGUP and self._site.settings.recording.turns_days > 0
        writing = self._start(self._close(ending, keeps_sound), "writing")
        try:
            # Whoever comes next should know of it, but nobody waits in silence for a slow store.
            await asyncio.wait({writing}, timeout=RECORD_S)
        finally:
            metrics.OUTCOMES.labels(end.outcome).inc()
            metrics.LATE_FRAMES.inc(self._playout.late_frames)
            log.info("call over", outcome=end.outcome, next=end.next, reason=end.reason)
            self._playout.stop()
            if end.next is not Next.EMERGENCY:
                # Where the line ended on Asterisk's side and the dialplan asks all the same, the
                # caller is still there.
                admission.leave(uuid, end.next if self._line.ended is None else Next.OPERATOR)
                self._line.hang_up()
            await asyncio.gather(*self._background, return_exceptions=True)

    async def _close(self, ending: Coroutine[Any, Any, None], keeps_sound: bool) -> None:
        """The last that is written of the call."""
        try:
            if keeps_sound:
                await self._hand_over_sound()
            await ending
        except StoreError as error:
            log.error("the call's end is not recorded", error=str(error))

    def _outcome_of_talk(self) -> Outcome:
        """Of a call that nobody else goes on with."""
        if self._orders:
            return Outcome.ORDERED
        errand = self._state.errand if self._state else None
        return Outcome.FOLLOWED_UP if errand and errand.ours else Outcome.ABANDONED

    async def _hand_over_sound(self) -> None:
        folder = turns_folder(self._site.settings, self._line.uuid)
        try:
            await asyncio.to_thread(self._kept_sound.write, folder)
        except OSError as error:  # the operator can still ask the caller
            log.error("the sound of the call is not kept", error=str(error))

    def _known(self) -> dict[str, Any]:
        """For Call.summary: Conversation.known, and the order's time in the caller's words."""
        known: dict[str, Any] = dict(self._state.known) if self._state else {}
        order = known.get("order")
        if order and "time" in order and self._said_time:
            known["order"] = {**order, "said_time": self._said_time}
        return known

    async def _written(self, writing: Coroutine[Any, Any, T]) -> T:
        """Waits for the store; what has begun is finished even if the caller hangs up."""
        return await asyncio.shield(self._start(writing, "writing"))

    def _start(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=f"call {self._line.uuid}: {name}")
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _apologise(self) -> None:
        """Says that a human comes now, if that can still be said."""
        if self._line.ended is not None:
            return
        self._playout.clear()
        sound = self._site.speech.ready(self._site.prompts.say("to_operator_failed"))
        if sound is not None:
            await asyncio.wait({self._playout.play(sound)}, timeout=GOODBYE_LIMIT_S)

    # --- what comes in and goes out; nothing here waits ---

    def _send(self, frame: bytes) -> None:
        self._line.send(Audio(frame))
        self._listening.played(np.frombuffer(frame, "<i2"))
        self._unheard_frames += 1
        if self._unheard_frames > MISSING_FRAMES:
            self._hear(np.zeros(FRAME_SAMPLES, np.int16))

    async def _listen(self) -> None:
        """Until the line ends."""
        async for frame in self._line:
            match frame:
                case Audio(data):
                    self._unheard_frames = 0
                    self._hear(np.frombuffer(data, "<i2"))
                case audiosocket.Digit():
                    self._playout.clear()
                    self._put(frame)

    def _hear(self, samples: Speech) -> None:
        for signal in self._listening.heard(samples, speaking=self._playout.playing):
            if signal is Signal.STARTED and self._playout.playing and self._bargeable:
                self._interrupted = True
                self._playout.clear()
            self._put(signal)
        if self._listening.timed_out and not self._timed_out:
            self._timed_out = True
            self._put(Passed.ANSWER_TIME)

    def _put(self, what: What) -> None:
        try:
            self._happened.put_nowait(Happened(self._turn, what))
        except asyncio.QueueFull:
            log.warning("too much happens on the line", dropped=str(what))

    def _next_turn(self) -> None:
        """From here on a new turn of the caller's is waited for; what was before is stale."""
        self._turn += 1
        self._timed_out = False
        self._interrupted = False
        self._drop_thought()
        self._listening.restart()

    # --- the conversation ---

    async def _talk(self) -> End:
        site = self._site
        filler = self._loop.call_later(FILLER_AFTER_S, self._fill)
        try:
            caller = await self._written(self._ledger.begin())
        except StoreError as error:  # an order could not be kept either
            log.error("the call is not recorded", error=str(error))
            await self._apologise()
            return End(Next.OPERATOR, Outcome.FAILED, "store")
        finally:
            filler.cancel()
        site.speech.prepare(caller_pieces(caller))
        answering = Answering("start")
        step = conversation.begin(
            caller, site.catalog, site.prompts, site.now(), await self._errand()
        )
        end = await self._do(step, answering)
        while end is None:
            event, answering = await self._event()
            if not self._filling:
                self._playout.clear()
            self._next_turn()
            assert self._state is not None
            ready = answering.answer
            if ready is not None and ready.step is not None and isinstance(event, Heard):
                step = ready.step
            else:
                step = conversation.advance(self._state, event)
            if isinstance(event, Heard) and ready is not None:
                self._lessons.heard(
                    self._records, ready.recognised, event.meaning, self._state, step.state
                )
            end = await self._do(step, answering)
        return end

    async def _errand(self) -> Errand | None:
        try:
            return await self._written(asyncio.to_thread(self._errands.find, self._phone))
        except StoreError as error:  # they are served all the same
            log.error("it is not known what to ask", error=str(error))
            return None

    async def _event(self) -> tuple[Event, Answering]:
        """Waits for what the caller does next."""
        over_at: float | None = None
        filler: asyncio.TimerHandle | None = None
        try:
            while True:
                happened = await self._happened.get()
                if happened.turn != self._turn:
                    continue
                match happened.what:
                    case audiosocket.Digit(key):
                        return Digit(key, self._site.now()), Answering("digit", heard=key)
                    case Signal.PAUSED:
                        self._think(final=False)
                    case Signal.RESUMED:
                        self._drop_thought()
                    case Signal.ENDED:
                        over_at = self._loop.time() - self._listening.turn.silence_ms / 1000
                        if self._thought is None:
                            self._think(final=True)
                        else:
                            self._thought.job.promote()
                        filler = self._loop.call_later(FILLER_AFTER_S, self._put, Passed.PATIENCE)
                    case Passed.ANSWER_TIME if over_at is None:
                        return Silence(), Answering("silence")
                    case Passed.PATIENCE:
                        self._fill()
                        filler = self._loop.call_later(FILLER_AGAIN_S, self._put, Passed.PATIENCE)
                if over_at is not None and self._thought is not None:
                    if self._thought.failed is not None:
                        raise self._thought.failed
                    if self._thought.answer is not None:
                        heard = await self._heard(self._thought.answer, over_at)
                        if heard is not None:
                            return heard
                        over_at = None
                        if filler is not None:
                            filler.cancel()
        finally:
            if filler is not None:
                filler.cancel()

    async def _heard(self, answer: Answer, over_at: float) -> tuple[Event, Answering] | None:
        """A turn that is over, as an event; None where it was no more than a noise."""
        turn = self._listening.turn
        speech = self._listening.utterance()
        text = next((h.text for h in answer.recognised.hypotheses), "")
        answering = Answering("heard", text, answer=answer, ended_at=over_at, sound=speech)
        answering.stages_ms["recognise"] = answer.recognised.engine_s * 1000
        answering.stages_ms["recogniser_queue"] = answer.recognised.waited_s * 1000
        answering.stages_ms["understand"] = answer.understood_s * 1000
        if self._noting:
            return await self._noted(answer, answering, speech)
        if answer.meaning is None:
            spoken_ms = len(speech) / 8 - self._site.settings.turn.preroll_ms
            noise = not answer.recognised.failure and not self._interrupted
            if noise and spoken_ms < SHORTEST_TURN_MS:
                turn.reset()
                self._drop_thought()
                return None
            return Silence(), answering
        if answer.meaning.when is not None:
            self._said_time = answer.meaning.text
        return Heard(answer.meaning, self._site.now()), answering

    async def _noted(
        self, answer: Answer, answering: Answering, speech: Speech
    ) -> tuple[Event, Answering]:
        """The turn is a voice note, unless it is a cry for help or for a human."""
        meaning = answer.meaning
        if meaning is not None and meaning.code in (EMERGENCY, Act.OPERATOR):
            return Heard(meaning, self._site.now()), answering
        answering.kind = "note"
        answering.answer = replace(answer, step=None)
        if len(speech):
            try:
                await self._keep_note(answering.heard, speech)
            except (StoreError, OSError) as error:
                log.error("the voice note is not kept", error=str(error))
                return NoteRecorded(0.0), answering
        return NoteRecorded(len(speech) / 8000), answering

    async def _keep_note(self, text: str, speech: Speech) -> None:
        """Raises StoreError, OSError."""
        folder = self._site.settings.recordings
        if self._state is not None and self._state.stage is Stage.WRONG:
            complain = self._errands.complain
            now = self._site.now()
            await self._written(asyncio.to_thread(complain, now, text, folder, speech))
        elif self._orders:
            await self._written(self._ledger.note(self._orders[-1], folder, speech))

    def _think(self, *, final: bool) -> None:
        """Starts to work out the answer to what has been said so far."""
        assert self._state is not None
        self._drop_thought()
        samples = self._listening.utterance().astype(np.float32) / 32768.0
        own = self._site.dialect_recognition.get(self._state.caller.dialect)
        question = self._state.prompt_text
        job = Attempt(own, self._site.recognition, samples, question, final=final)
        self._thought = Thought(job)
        self._thought.task = self._start(self._work_out(self._thought, self._state), "thinking")

    async def _work_out(self, thought: Thought, state: Conversation) -> None:
        try:
            thought.answer = await self._answer(thought.job, state)
        except Exception as error:  # raised where the answer is needed, if it is
            thought.failed = error
        self._put(thought)

    async def _answer(self, job: Attempt, state: Conversation) -> Answer:
        site = self._site
        recognised = await job.result()
        written = any(hypothesis.text for hypothesis in recognised.hypotheses)
        if not written and all(one.sounds is None for one in recognised.hypotheses):
            return Answer(recognised)
        began = time.monotonic()
        now = site.now()
        meaning = await asyncio.to_thread(
            site.understand, recognised.hypotheses, state.question, now, state.caller.dialect
        )
        understood_s = time.monotonic() - began
        if meaning.kind is Kind.OOS and not written:
            return Answer(recognised)  # a noise, for all that can be told
        text = recognised.hypotheses[0].text
        if sounds_unfinished(text, meaning, state.question, site.frames):
            self._listening.turn.unfinished()
        step = conversation.advance(state, Heard(meaning, now))
        sound = None
        if step.actions and isinstance(step.actions[0], Say):
            say = step.actions[0]
            sound = await site.speech.speech(say.pieces, slow=say.slow)
        return Answer(recognised, meaning, step, sound, understood_s)

    def _drop_thought(self) -> None:
        if self._thought is not None:
            self._thought.drop()
            self._thought = None

    def _fill(self) -> None:
        sound = self._site.speech.ready((FILLER,))
        if sound is not None and not self._playout.playing:
            self._bargeable = False
            self._filling = True
            self._playout.play(sound)

    # --- what the conversation wants done ---

    async def _do(self, step: Step, answering: Answering) -> End | None:
        """Does the step, and those that follow from it; the end of the call if that is it."""
        self._state = step.state
        self._noting = False
        if any(isinstance(action, ToEmergency) for action in step.actions):
            # Telephones ring before anything more is said or written; the dialplan speaks now.
            self._start(self._record(answering), "writing")
            return End(Next.EMERGENCY, Outcome.EMERGENCY, EMERGENCY)
        end: End | None = None
        following: Event | None = None
        sound = answering.answer.sound if answering.answer else None
        for action in step.actions:
            match action:
                case Say():
                    await self._say(action, sound, answering)
                    sound = None
                case Book():
                    following = await self._book(action)
                case Settle():
                    following = await self._settle(action)
                case RecordNote(max_seconds):
                    self._noting = True
                    self._listening.restart(note_ms=round(max_seconds * 1000))
                case Hangup():
                    outcome = self._outcome_of_talk()
                    reason = "errand" if outcome is Outcome.FOLLOWED_UP else "goodbye"
                    end = End(Next.HANGUP, outcome, reason)
                case ToOperator(reason):
                    end = End(Next.OPERATOR, Outcome.OPERATOR, reason)
        if following is not None:
            answering.answer = replace(answering.answer, sound=None) if answering.answer else None
            return await self._do(conversation.advance(step.state, following), answering)
        await self._record(answering)
        if end is not None and self._playing is not None:
            await asyncio.wait({self._playing}, timeout=GOODBYE_LIMIT_S)
        return end

    async def _say(self, say: Say, sound: Speech | None, answering: Answering) -> None:
        if sound is None:
            sound = await self._sound(say.pieces, slow=say.slow)
        self._filling = False
        self._bargeable = say.bargeable
        self._playing = self._playout.play(sound)
        answering.said.append(plain(say.pieces))
        if answering.ended_at is not None and "first_frame" not in answering.stages_ms:
            latency_s = self._loop.time() - answering.ended_at
            answering.stages_ms["first_frame"] = latency_s * 1000
            metrics.LATENCY.observe(latency_s)

    async def _sound(self, pieces: tuple[Piece, ...], *, slow: bool) -> Speech:
        """The prompt's sound; the caller is asked to wait if that takes long."""
        sound = self._site.speech.ready(pieces, slow=slow)
        if sound is not None:
            return sound
        filler = self._loop.call_later(FILLER_AFTER_S, self._fill)
        try:
            return await self._site.speech.speech(pieces, slow=slow)
        finally:
            filler.cancel()

    async def _book(self, book: Book) -> Event:
        try:
            return Booked(await self._written(self._commit(book)))
        except StoreError as error:
            log.error("the order is not booked", error=str(error))
            return BookingFailed()

    async def _settle(self, answer: Settle) -> Event:
        now = self._site.now()
        try:
            await self._written(asyncio.to_thread(self._errands.settle, answer, now))
        except StoreError as error:
            log.error("the answer is not kept", error=str(error))
            return NotKept()
        return Kept()

    async def _commit(self, book: Book) -> int:
        order = await self._ledger.book(book, self._said_time)
        self._orders.append(order)
        metrics.ORDERS.inc()
        return order

    async def _record(self, answering: Answering) -> None:
        assert self._state is not None
        answer = answering.answer
        record = TurnRecord(
            index=self._records,
            kind=answering.kind,
            said="".join(answering.said),
            started_at=self._site.now(),
            heard=answering.heard,
            recognised=answer.recognised if answer else None,
            meaning=answer.meaning if answer else None,
            stages_ms=answering.stages_ms,
        )
        if answering.sound is not None:
            self._kept_sound.keep(self._records, answering.sound)
        self._records += 1
        metrics.TURNS.labels(answering.kind).inc()
        for stage, spent_ms in answering.stages_ms.items():
            metrics.STAGES.labels(stage).observe(spent_ms / 1000)
        log.info(
            "turn", kind=answering.kind, code=str(record.meaning.code) if record.meaning else ""
        )
        try:
            await self._written(self._ledger.turn(record, self._known()))
        except StoreError as error:  # the conversation is worth more than its record
            log.error("the turn is not recorded", error=str(error))
