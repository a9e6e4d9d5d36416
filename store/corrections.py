"""What was misheard, and what it meant: the material that listening improves with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from store.database import Store, StoreError
from store.models import Call, Correction, Known, Review, Turn


def keep(store: Store, corrections: Iterable[Correction]) -> None:
    """Enters corrections; those that are there already stay as they are. Raises StoreError."""
    with store.write() as session:
        for correction in corrections:
            if _same(session, correction.call_id, correction.turn, correction.code) is None:
                session.add(correction)


def file_by_operator(
    store: Store, call_id: UUID, turn: int, code: str, operator: str, at: datetime
) -> Correction:
    """An operator says what a turn of a call meant: nothing is left to decide of it.

    What was thought to be known of that turn before, and says otherwise, is rejected. Filing the
    same again changes nothing. Raises StoreError, also when there is no such turn or service.
    """
    with store.write() as session:
        call = session.get(Call, call_id)
        said = session.exec(
            select(Turn).where(Turn.call_id == call_id, Turn.index == turn)
        ).one_or_none()
        if call is None or said is None or not said.heard:
            raise StoreError(f"the call {call_id} has no turn {turn} in which something was said")
        correction = _same(session, call_id, turn, code)
        if correction is None:
            correction = Correction(
                call_id=call_id,
                turn=turn,
                heard=said.heard,
                hypotheses=said.hypotheses,
                taken_for=_taken_for(said),
                code=code,
                known=Known.OPERATOR,
                dialect=_dialect(call, said),
                engine=said.engine,
                engine_version=said.engine_version,
                at=at,
            )
            session.add(correction)
        correction.known = Known.OPERATOR
        others = select(Correction).where(
            Correction.call_id == call_id,
            Correction.turn == turn,
            Correction.code != code,
            Correction.known == Known.CONFIRMED,
        )
        for other in session.exec(others):
            _decide(other, Review.REJECTED, operator, at)
        return correction


def decide(store: Store, ids: Collection[int], review: Review, by: str, at: datetime) -> None:
    """What a person has decided of corrections; may be decided otherwise later. Raises StoreError.

    Nothing is changed when one of them does not exist.
    """
    with store.write() as session:
        for id in ids:
            correction = session.get(Correction, id)
            if correction is None:
                raise StoreError(f"there is no correction {id}")
            _decide(correction, review, by, at)


def corrections(store: Store, review: Review | None = None) -> list[Correction]:
    """All of them, or those of which this was decided, the oldest first. Raises StoreError."""
    rows = select(Correction).order_by(col(Correction.id))
    if review is not None:
        rows = rows.where(Correction.review == review)
    with store.read() as session:
        return list(session.exec(rows))


def _same(session: Session, call_id: UUID, turn: int, code: str) -> Correction | None:
    same = select(Correction).where(
        Correction.call_id == call_id, Correction.turn == turn, Correction.code == code
    )
    return session.exec(same).one_or_none()


def _dialect(call: Call, said: Turn) -> str:
    """Of the caller where it is known, or else what was heard."""
    known = call.summary.get("dialect") or call.dialect or said.meaning.get("dialect", "")
    return str(known)


def _taken_for(said: Turn) -> str:
    return str(said.meaning.get("code", "")) if said.meaning.get("kind") == "service" else ""


def _decide(correction: Correction, review: Review, by: str, at: datetime) -> None:
    correction.review, correction.reviewed_by, correction.reviewed_at = review, by, at
