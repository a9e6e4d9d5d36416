"""What a call leaves behind, written while it lasts. The store blocks, so it has threads here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from audio.sound import write_wav
from audio.synthesiser import Speech
from ivr.calls.lessons import Lesson
from ivr.calls.recognition import Recognised
from ivr.catalog import Item, support
from ivr.dialogue.state import Caller
from ivr.dialogue.step import Book
from ivr.understanding.dialects import MANDARIN
from ivr.understanding.meaning import Meaning
from store import calls, corrections, elders, orders, phones
from store.database import Store
from store.models import Correction, Known, Next, Outcome, SupportClass, Turn, WorkOrder

COMPOUND_SURNAMES = (
    "欧阳",
    "司马",
    "上官",
    "诸葛",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "令狐",
    "慕容",
    "司徒",
    "夏侯",
    "端木",
    "闻人",
    "长孙",
    "宇文",
)


def surname(name: str) -> str:
    """王秀英 -> 王, 欧阳明 -> 欧阳; empty for an empty name."""
    return name[:2] if len(name) > 2 and name.startswith(COMPOUND_SURNAMES) else name[:1]


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One thing the caller did, and the answer."""

    index: int
    kind: str
    """start, heard, digit, silence or note."""
    said: str
    started_at: datetime
    heard: str = ""
    recognised: Recognised | None = None
    meaning: Meaning | None = None
    stages_ms: Mapping[str, float] | None = None


class Ledger:
    """The record of one call. Each method returns when it is on disk; all raise StoreError."""

    def __init__(
        self,
        store: Store,
        call: UUID,
        phone: str,
        catalog: Mapping[str, Item],
        subsidised_percent: int,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._call = call
        self._phone = phones.of_caller(phone)
        self._catalog = catalog
        self._subsidised_percent = subsidised_percent
        self._now = now
        self._elder_id: int | None = None
        self._support_class = SupportClass.SELF_PAYING
        self._dialect = ""
        """Of the caller, as registered or else as heard in earlier calls."""

    async def begin(self) -> Caller:
        """Enters the call and tells who is calling, as far as the number says."""
        return await asyncio.to_thread(self._begin)

    def _begin(self) -> Caller:
        profile = elders.find_by_phone(self._store, self._phone) if self._phone else None
        self._elder_id = profile.elder_id if profile else None
        now = self._now()
        calls.begin_call(self._store, self._call, self._phone, now, self._elder_id)
        calls.answer_call(self._store, self._call, now)
        heard = calls.heard_dialect(self._store, self._phone)
        if profile is None:
            self._dialect = heard
            return Caller(dialect=heard)
        self._dialect = profile.dialect or heard
        self._support_class = profile.support_class
        return Caller(surname(profile.name), profile.address, self._dialect)

    async def book(self, book: Book, said_time: str) -> int:
        """Commits an order and returns its id; the same one if it is booked already."""
        return await asyncio.to_thread(self._book, book, said_time)

    def _book(self, book: Book, said_time: str) -> int:
        price_fen = self._catalog[book.draft.code].price_fen
        order = WorkOrder(
            call_id=self._call,
            number=book.number,
            code=book.draft.code,
            elder_id=self._elder_id,
            phone=self._phone,
            address=book.draft.address,
            scheduled_for=book.draft.scheduled_for,
            said_time=said_time,
            price_fen=price_fen,
            pay_fen=support(price_fen, self._support_class, self._subsidised_percent),
            created_at=self._now(),
        )
        booked = orders.book(self._store, order)
        assert booked.id is not None
        return booked.id

    async def note(self, order_id: int, folder: Path, speech: Speech) -> None:
        """Keeps what the caller said for an operator, beside the order. Raises OSError too."""
        await asyncio.to_thread(self._note, order_id, folder, speech)

    def _note(self, order_id: int, folder: Path, speech: Speech) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self._call}-{order_id}.wav"
        write_wav(path, speech, mode=0o600)
        orders.attach_note(self._store, order_id, str(path), self._now())

    async def turn(self, record: TurnRecord, summary: Mapping[str, Any]) -> None:
        recognised = record.recognised or Recognised()
        turn = Turn(
            call_id=self._call,
            index=record.index,
            kind=record.kind,
            heard=record.heard,
            hypotheses=_hypotheses(recognised),
            engine=recognised.engine,
            engine_version=recognised.engine_version,
            meaning=_plain(record.meaning) if record.meaning else {},
            said=record.said,
            stages_ms={stage: round(ms, 1) for stage, ms in (record.stages_ms or {}).items()},
            started_at=record.started_at,
        )
        await asyncio.to_thread(calls.record_turn, self._store, turn, summary)

    async def end(
        self,
        outcome: Outcome,
        next: Next,
        reason: str,
        summary: Mapping[str, Any],
        dialect: str = "",
        lessons: Sequence[Lesson] = (),
    ) -> None:
        """Closes the call with the `dialect` heard in it, and keeps what it teaches."""
        await asyncio.to_thread(self._end, outcome, next, reason, summary, dialect, lessons)

    def _end(
        self,
        outcome: Outcome,
        next: Next,
        reason: str,
        summary: Mapping[str, Any],
        dialect: str,
        lessons: Sequence[Lesson],
    ) -> None:
        now = self._now()
        calls.end_call(
            self._store,
            self._call,
            outcome,
            next,
            now,
            reason=reason,
            summary=summary,
            dialect=dialect,
        )
        spoken = self._dialect or dialect or MANDARIN
        learned = [self._correction(lesson, spoken, now) for lesson in lessons]
        if learned:
            corrections.keep(self._store, learned)

    def _correction(self, lesson: Lesson, dialect: str, at: datetime) -> Correction:
        said = lesson.utterance
        return Correction(
            call_id=self._call,
            turn=said.turn,
            heard=said.recognised.hypotheses[0].text,
            hypotheses=_hypotheses(said.recognised),
            taken_for=said.taken_for,
            code=lesson.code,
            known=Known.CONFIRMED,
            dialect=dialect,
            engine=said.recognised.engine,
            engine_version=said.recognised.engine_version,
            at=at,
        )


def _hypotheses(recognised: Recognised) -> list[dict[str, object]]:
    """Without the sounds: they are of use only while the call is understood, and large."""
    return [{"text": one.text, "score": one.score} for one in recognised.hypotheses]


def _plain(meaning: Meaning) -> dict[str, object]:
    """A meaning as JSON."""
    plain: dict[str, object] = {
        "kind": str(meaning.kind),
        "code": str(meaning.code),
        "confidence": round(meaning.confidence, 3),
        "dialect": meaning.dialect,
        "candidates": [
            {"code": c.code, "confidence": round(c.confidence, 3)} for c in meaning.candidates
        ],
    }
    if meaning.when is not None:
        when = meaning.when
        plain["when"] = {
            "day": when.day.isoformat() if when.day else None,
            "part": when.part,
            "clock": when.clock.isoformat("minutes") if when.clock else None,
            "asap": when.asap,
        }
    if meaning.rating is not None:
        plain["rating"] = meaning.rating
    return plain
