from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sample_order import NOW

from store import audit, operators
from store.database import Store
from store.models import Role
from store.switches import OUTGOING, last_switched, paused, switch


def test_nothing_is_paused_until_somebody_pauses_it(store: Store) -> None:
    assert not paused(store) and last_switched(store) is None
    assert not switch(store, OUTGOING, False, NOW)
    assert last_switched(store) is None


def test_pause_holds_until_it_is_taken_back_and_says_whose_it_was(store: Store) -> None:
    wang = operators.add(store, "wang", "王芳", Role.SUPERVISOR, "hash", "secret").id
    later = NOW + timedelta(hours=1)
    assert switch(store, OUTGOING, True, NOW, wang, "台风")
    with store.read() as session:
        assert paused(session)
    assert last_switched(store) == (True, NOW, "王芳", "台风")
    assert not switch(store, OUTGOING, True, later, None, "again")
    assert last_switched(store) == (True, NOW, "王芳", "台风")
    assert switch(store, OUTGOING, False, later)
    assert not paused(store) and last_switched(store) == (False, later, "", "")
    assert [(row.by, row.audit.detail) for row in audit.newest(store, 9)] == [
        ("", "on"),
        ("王芳", "off: 台风"),
    ]


def test_one_switch_leaves_the_others_alone(store: Store) -> None:
    switch(store, "other", True, NOW)
    assert not paused(store) and paused(store, "other")


def test_of_many_who_resume_at_the_same_moment_one_has_done_it(store: Store) -> None:
    switch(store, OUTGOING, True, NOW)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: switch(store, OUTGOING, False, NOW), range(4)))
    assert sum(done) == 1 and not paused(store)
