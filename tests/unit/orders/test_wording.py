"""What providers read: everything that whoever goes there needs, in the town's time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from ivr.catalog import load_catalog
from ivr.orders.wording import Notices
from store.models import WorkOrder

NOTICES = Notices(load_catalog(), ZoneInfo("Asia/Shanghai"), "平江养老")
ORDER = WorkOrder(
    id=17, code="bathing", phone="051265123450", address="平江路12号", price_fen=3500,
    scheduled_for=datetime(2026, 11, 22, 16, 30, tzinfo=UTC), pay_fen=1750,
    created_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
)  # fmt: skip


def test_new_order_says_what_when_where_for_whom_and_what_is_paid() -> None:
    assert NOTICES.new(ORDER, "王秀英") == (
        "【平江养老】新工单17：助浴，11月23日周一00:30，平江路12号，王秀英，电话051265123450，"
        "向老人收17.5元。"
    )


def test_what_is_not_known_is_to_be_asked() -> None:
    bare = ORDER.model_copy(
        update={"scheduled_for": None, "address": None, "phone": "", "pay_fen": 0, "code": "new"}
    )
    assert NOTICES.changed(bare, "") == (
        "【平江养老】工单17有变化，现在是：new，时间请和老人约，地址请问老人，向老人收0元。"
    )


def test_who_needs_not_go_is_told_so() -> None:
    assert NOTICES.cancelled(ORDER) == "【平江养老】工单17已取消，不用去了。"
    assert NOTICES.reassigned(ORDER) == "【平江养老】工单17已改由别家服务，不用去了。"
