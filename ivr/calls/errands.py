"""What we want to ask in a call, and what they answered, in the store. Everything blocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

import structlog

from audio.sound import write_wav
from audio.synthesiser import Speech
from ivr.catalog import Item
from ivr.config import Settings
from ivr.dialogue.state import Errand
from ivr.dialogue.step import Settle
from ivr.orders.wording import Notices
from ivr.outreach.next_step import Miss
from ivr.outreach.promises import OwedFollowUps
from store import complaints, follow_ups, order_life
from store.database import Store, StoreError
from store.models import Channel, Elder, FollowUpEnd, WorkOrder
from store.order_steps import NOBODY, Impossible

log = structlog.get_logger()


class Errands:
    """Of one call. All methods raise StoreError."""

    def __init__(
        self, store: Store, settings: Settings, catalog: Mapping[str, Item], call: UUID
    ) -> None:
        self._store = store
        self._settings = settings
        self._catalog = catalog
        self._call = call
        self._owed = OwedFollowUps(store, settings, catalog)
        self._id: int | None = None
        """Of the follow-up."""
        self._order_id: int | None = None
        self._score = 0

    def find(self, phone: str) -> Errand | None:
        """What to ask in this call: what it was made for, or what is open with who calls."""
        found = follow_ups.errand_of(self._store, self._call, phone)
        if found is None:
            return None
        row, order = found
        self._id, self._order_id = row.id, row.order_id
        at = order.scheduled_for if order else None
        return Errand(
            row.purpose,
            order.code if order else "",
            at.astimezone(self._settings.zone) if at else None,
            ours=row.attempt_id == self._call,
        )

    def settle(self, answer: Settle, at: datetime) -> None:
        """Keeps what they answered, and does what follows from it."""
        assert self._id is not None
        match answer.end:
            case None:
                self._owed.pass_over(self._id, at, Miss.NOT_NOW, answer.said)
            case FollowUpEnd.WRONG_PERSON:
                self._owed.pass_over(self._id, at, Miss.WRONG_PERSON, answer.said)
            case FollowUpEnd.RATED:
                self._rate(answer, at)
            case _:
                self._plan(self._id, answer.end, answer, at)

    def complain(self, at: datetime, said: str, folder: Path, speech: Speech) -> None:
        """What was wrong, as it was recognised, and the sound of it. Raises OSError too."""
        assert self._order_id is not None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{self._call}-complaint.wav"
        write_wav(path, speech, mode=0o600)
        with self._store.write() as session:
            complaints.raise_complaint(
                session, self._order_id, self._score, at, said, str(path), self._call
            )

    def _rate(self, answer: Settle, at: datetime) -> None:
        assert self._order_id is not None
        self._score = answer.score
        with self._store.write() as session:
            follow_ups.rate(
                session,
                order_id=self._order_id,
                score=answer.score,
                channel=Channel.KEYPAD if answer.keypad else Channel.VOICE,
                at=at,
                said=answer.said,
                call_id=self._call,
            )

    def _plan(self, id: int, end: FollowUpEnd, answer: Settle, at: datetime) -> None:
        notices = Notices(self._catalog, self._settings.zone, self._settings.sms.site)
        with self._store.write() as session:
            open_yet = follow_ups.settle(session, id, end, at, answer.said, call_id=self._call)
            order = session.get(WorkOrder, self._order_id) if self._order_id else None
            if not open_yet or order is None:
                return
            try:
                if end is FollowUpEnd.MOVED and answer.scheduled_for is not None:
                    elder = session.get(Elder, order.elder_id) if order.elder_id else None
                    new = order.model_dump() | {"scheduled_for": answer.scheduled_for}
                    message = notices.changed(WorkOrder(**new), elder.name if elder else "")
                    order.said_time = answer.said
                    order_life.rescheduled(
                        session, order, answer.scheduled_for, NOBODY, at, message
                    )
                elif end is FollowUpEnd.CANCELLED:
                    message = notices.cancelled(order)
                    order_life.cancelled(session, order, NOBODY, at, answer.said, message)
            except Impossible as error:
                raise StoreError(str(error)) from error
