"""Where a caller is, between the agent and an operator."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from sample_order import NOW

from store import alarms, calls, handovers, operator_calls, operators, queue_visits
from store.database import Store
from store.handovers import Arrived, Place, Whereabouts
from store.models import Next, Outcome, Role

LATER = NOW + timedelta(seconds=20)
PHONE = "13812345678"


def where(store: Store, call_id: UUID) -> Whereabouts:
    return handovers.whereabouts(store, call_id)


def test_caller_is_followed_from_the_agent_to_the_end_of_the_talk(
    store: Store, call_id: UUID
) -> None:
    operators.add(store, "wang", "王芳", Role.OPERATOR, "no log-in", "secret")
    assert where(store, call_id) == Whereabouts(Place.AGENT, NOW)
    calls.end_call(store, call_id, Outcome.OPERATOR, Next.OPERATOR, NOW)
    queue_visits.join(store, "1.1", PHONE, NOW, call_id=call_id)
    assert where(store, call_id) == Whereabouts(Place.WAITING, NOW)

    operator_calls.rings(store, "2.1", call_id, "op101", NOW)
    operator_calls.rings(store, "2.2", call_id, "op102", LATER)
    operator_calls.rings(store, "2.1", call_id, "op101", LATER)  # said twice
    assert where(store, call_id) == Whereabouts(Place.RINGING, NOW, ("op101", "op102"))

    operator_calls.answers(store, "2.1", call_id, "op101", LATER)
    assert where(store, call_id) == Whereabouts(Place.TALKING, LATER, ("op101",), "王芳")
    operator_calls.ends(store, "2.2")
    queue_visits.answer(store, "1.1", "op101", LATER)
    operator_calls.ends(store, "2.1")
    ended = LATER + timedelta(minutes=1)
    queue_visits.end_talk(store, "1.1", ended)
    assert where(store, call_id) == Whereabouts(Place.OVER, ended, by="王芳")


def test_only_what_still_lasts_is_kept(store: Store) -> None:
    kept, gone = uuid4(), uuid4()
    operator_calls.answers(store, "2.1", kept, "op101", NOW)
    operator_calls.rings(store, "2.2", gone, "op102", NOW)
    operator_calls.end_others(store, {"2.1"})
    assert [one.call_id for one in operator_calls.present(store)] == [kept]
    assert where(store, gone) == Whereabouts(Place.OVER, None)


def test_call_that_the_agent_never_saw_is_known_by_its_wait_or_its_alarm(store: Store) -> None:
    waited, cried, unknown = uuid4(), uuid4(), uuid4()
    queue_visits.join(store, "1.1", PHONE, NOW, call_id=waited)
    alarms.raise_alarm(store, cried, PHONE, LATER)
    assert handovers.arrived(store, waited) == Arrived(PHONE, NOW)
    assert handovers.arrived(store, cried) == Arrived(PHONE, LATER)
    assert handovers.arrived(store, unknown) is None
