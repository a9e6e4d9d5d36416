from __future__ import annotations

from store.database import Store
from store.elders import Change, Registration, find_by_phone, newest_elders, register
from store.models import SupportClass

HOME = "苏州市姑苏区平江路12号"


def test_caller_is_known_however_the_exchange_writes_the_number(store: Store) -> None:
    register(store, Registration("051265123456", "王秀英", HOME, SupportClass.SUBSIDISED))
    for number in ("051265123456", "0512-65123456", "+86 512 6512 3456", "００８６51265123456"):
        profile = find_by_phone(store, number)
        assert profile
        assert (profile.name, profile.address) == ("王秀英", HOME)
        assert profile.support_class is SupportClass.SUBSIDISED


def test_unknown_and_withheld_numbers_are_nobodys(store: Store) -> None:
    register(store, Registration("13812345678", "王秀英", HOME))
    for number in ("13812345679", "anonymous", ""):
        assert find_by_phone(store, number) is None


def test_registering_again_updates_what_is_given_and_keeps_the_rest(store: Store) -> None:
    first = register(
        store, Registration("13812345678", "王秀英", HOME, SupportClass.AIDED, "suzhou", True)
    )
    again = register(store, Registration("13812345678", "王秀英", HOME))
    moved = register(store, Registration("13812345678", "王秀英", "苏州市吴中区石湖路1号"))
    assert [r.change for r in (first, again, moved)] == [
        Change.ADDED,
        Change.UNCHANGED,
        Change.UPDATED,
    ]
    profile = find_by_phone(store, "13812345678")
    assert profile
    assert profile.elder_id == first.elder.id
    assert profile.address == "苏州市吴中区石湖路1号"
    assert (profile.support_class, profile.dialect) == (SupportClass.AIDED, "suzhou")
    assert profile.high_risk


def test_elder_has_a_landline_and_a_mobile(store: Store) -> None:
    one = register(store, Registration("13812345678", "王秀英", HOME))
    two = register(store, Registration("051265123456", "王秀英", HOME))
    assert (two.elder.id, two.change) == (one.elder.id, Change.UPDATED)
    (row,) = newest_elders(store)
    assert row.phones == ("051265123456", "13812345678")


def test_couple_on_one_landline_is_known_by_what_they_share(store: Store) -> None:
    register(store, Registration("051265123456", "王秀英", HOME, SupportClass.AIDED, "suzhou"))
    second = register(store, Registration("051265123456", "李建国", HOME, high_risk=True))
    assert second.shares_with == ("王秀英",)
    profile = find_by_phone(store, "051265123456")
    assert profile
    assert (profile.elder_id, profile.name, profile.address) == (None, "", HOME)
    assert (profile.support_class, profile.dialect) == (SupportClass.SELF_PAYING, "")
    assert profile.high_risk


def test_number_that_changed_hands_is_taken_over(store: Store) -> None:
    register(store, Registration("13812345678", "王秀瑛", HOME))
    new = register(store, Registration("13812345678", "王秀英", HOME), replace=True)
    assert new.shares_with == ()
    profile = find_by_phone(store, "13812345678")
    assert profile
    assert profile.name == "王秀英"


def test_elder_registered_twice_before_and_after_a_move_becomes_one(store: Store) -> None:
    register(store, Registration("13812345678", "王秀英", HOME))
    new = register(store, Registration("051265123456", "王秀英", "石湖路1号"))
    register(store, Registration("13812345678", "王秀英", "石湖路1号"))
    profile = find_by_phone(store, "13812345678")
    assert profile
    assert (profile.elder_id, profile.address) == (new.elder.id, "石湖路1号")
