"""What providers are told of an order by SMS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from ivr.catalog import Item
from store.models import WorkOrder

WEEKDAYS = "一二三四五六日"


def new_order(
    order: WorkOrder, elder_name: str, catalog: Mapping[str, Item], zone: ZoneInfo
) -> str:
    return f"【一呼】新工单{order.id}：{_content(order, elder_name, catalog, zone)}"


def changed_order(
    order: WorkOrder, elder_name: str, catalog: Mapping[str, Item], zone: ZoneInfo
) -> str:
    return f"【一呼】工单{order.id}有变化，现在是：{_content(order, elder_name, catalog, zone)}"


def cancelled_order(order: WorkOrder) -> str:
    return f"【一呼】工单{order.id}已取消，不用去了。"


def reassigned_order(order: WorkOrder) -> str:
    return f"【一呼】工单{order.id}已改由别家服务，不用去了。"


def _content(order: WorkOrder, elder_name: str, catalog: Mapping[str, Item], zone: ZoneInfo) -> str:
    service = catalog[order.code].name if order.code in catalog else order.code
    parts = [service, _when(order, zone), order.address or "地址请问老人", elder_name]
    if order.phone:
        parts.append(f"电话{order.phone}")
    parts.append(f"向老人收{order.pay_fen / 100:g}元")
    return "，".join(part for part in parts if part) + "。"


def _when(order: WorkOrder, zone: ZoneInfo) -> str:
    if order.scheduled_for is None:
        return "时间请和老人约"
    at = order.scheduled_for.astimezone(zone)
    return f"{at.month}月{at.day}日周{WEEKDAYS[at.weekday()]}{at:%H:%M}"
