from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sample_order import NOW
from sqlmodel import delete

from store import calls, services
from store.corrections import corrections, decide, file_by_operator, keep
from store.database import Store, StoreError
from store.models import Call, Correction, Known, Next, Outcome, Review, Service, Turn

HAIRCUT = Service(code="haircut", name="理发", unit="visit", price_fen=2000)


def misheard(call_id: UUID, turn: int = 1, code: str = "bathing") -> Correction:
    return Correction(
        call_id=call_id,
        turn=turn,
        heard="我要打扬",
        hypotheses=[{"text": "我要打扬", "score": -0.4}],
        taken_for="",
        code=code,
        known=Known.CONFIRMED,
        dialect="suzhou",
        engine="whisper",
        engine_version="base",
        at=NOW,
    )


def said(store: Store, call_id: UUID, turn: int = 1) -> None:
    meaning = {"kind": "oos", "code": "", "dialect": "suzhou"}
    calls.record_turn(
        store,
        Turn(
            call_id=call_id,
            index=turn,
            kind="heard",
            heard="我要打扬",
            hypotheses=[{"text": "我要打扬", "score": -0.4}],
            meaning=meaning,
            engine="whisper",
            engine_version="base",
            started_at=NOW,
        ),
    )


@pytest.fixture(autouse=True)
def haircut(store: Store) -> None:
    services.sync(store, [HAIRCUT.model_copy()])


def test_what_a_call_teaches_is_kept_once(store: Store, call_id: UUID) -> None:
    keep(store, [misheard(call_id)])
    [kept] = corrections(store)
    assert kept.id is not None
    decide(store, [kept.id], Review.APPROVED, "wang", NOW)
    keep(store, [misheard(call_id), misheard(call_id, turn=2)])
    first, second = corrections(store)
    assert (first.review, first.reviewed_by, first.reviewed_at) == (Review.APPROVED, "wang", NOW)
    assert (second.turn, second.review) == (2, Review.PENDING)
    assert [c.turn for c in corrections(store, Review.PENDING)] == [2]


def test_operator_says_what_was_meant(store: Store, call_id: UUID) -> None:
    said(store, call_id)
    filed = file_by_operator(store, call_id, 1, "bathing", "li", NOW)
    file_by_operator(store, call_id, 1, "bathing", "li", NOW)
    [kept] = corrections(store)
    assert (kept.id, kept.heard, kept.known) == (filed.id, "我要打扬", Known.OPERATOR)
    assert (kept.dialect, kept.engine, kept.engine_version) == ("suzhou", "whisper", "base")
    assert kept.review is Review.PENDING, "who files does not decide that it is learned"


def test_known_dialect_of_the_caller_goes_before_what_was_heard(
    store: Store, call_id: UUID
) -> None:
    said(store, call_id)
    calls.record_turn(
        store,
        Turn(call_id=call_id, index=2, kind="heard", started_at=NOW),
        {"dialect": "lanzhou"},
    )
    assert file_by_operator(store, call_id, 1, "bathing", "li", NOW).dialect == "lanzhou"


def test_operator_outweighs_what_the_call_seemed_to_say(store: Store, call_id: UUID) -> None:
    said(store, call_id)
    keep(store, [misheard(call_id)])
    file_by_operator(store, call_id, 1, "haircut", "li", NOW)
    assert [(c.code, c.review) for c in corrections(store)] == [
        ("bathing", Review.REJECTED),
        ("haircut", Review.PENDING),
    ]


def test_operator_is_told_of_a_turn_or_service_that_does_not_exist(
    store: Store, call_id: UUID
) -> None:
    said(store, call_id)
    with pytest.raises(StoreError, match="no turn 7"):
        file_by_operator(store, call_id, 7, "bathing", "li", NOW)
    with pytest.raises(StoreError):
        file_by_operator(store, call_id, 1, "no such service", "li", NOW)
    assert corrections(store) == []


def test_nothing_is_decided_when_one_does_not_exist(store: Store, call_id: UUID) -> None:
    keep(store, [misheard(call_id)])
    [kept] = corrections(store)
    assert kept.id is not None
    with pytest.raises(StoreError, match="no correction 999"):
        decide(store, [kept.id, 999], Review.APPROVED, "wang", NOW)
    assert corrections(store, Review.APPROVED) == []


def test_corrections_go_when_their_call_goes(store: Store, call_id: UUID) -> None:
    keep(store, [misheard(call_id)])
    with store.write() as session:
        session.exec(delete(Call))
    assert corrections(store) == []


def test_dialect_heard_most_in_the_last_calls_is_remembered(store: Store) -> None:
    def called(dialect: str, day: int, phone: str = "13812345678") -> None:
        call_id = uuid4()
        calls.begin_call(store, call_id, phone, NOW + timedelta(days=day))
        calls.end_call(store, call_id, Outcome.ORDERED, Next.HANGUP, NOW, dialect=dialect)

    def remembered() -> str:
        return calls.heard_dialect(store, "13812345678")

    assert remembered() == ""
    called("", 0)
    assert remembered() == ""
    called("suzhou", 1)
    called("suzhou", 2)
    called("mandarin", 3)
    called("lanzhou", 3, phone="051265123456")
    assert remembered() == "suzhou", "one odd call changes nothing"
    called("mandarin", 4)
    called("mandarin", 5)
    assert remembered() == "mandarin"
    assert calls.heard_dialect(store, "") == "", "withheld numbers are no caller"
