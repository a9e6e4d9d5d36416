"""What providers are told of an order by SMS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.catalog import Item
from store.models import WorkOrder

WEEKDAYS = "一二三四五六日"


@dataclass(frozen=True, slots=True)
class Notices:
    """In the name of a site, in its time."""

    catalog: Mapping[str, Item]
    zone: ZoneInfo
    site: str

    def new(self, order: WorkOrder, elder_name: str) -> str:
        return f"{self._head(order, '新')}：{self._content(order, elder_name)}"

    def changed(self, order: WorkOrder, elder_name: str) -> str:
        return f"{self._head(order)}有变化，现在是：{self._content(order, elder_name)}"

    def cancelled(self, order: WorkOrder) -> str:
        return f"{self._head(order)}已取消，不用去了。"

    def reassigned(self, order: WorkOrder) -> str:
        return f"{self._head(order)}已改由别家服务，不用去了。"

    def _head(self, order: WorkOrder, which: str = "") -> str:
        return f"【{self.site}】{which}工单{order.id}"

    def _content(self, order: WorkOrder, elder_name: str) -> str:
        service = self.catalog[order.code].name if order.code in self.catalog else order.code
        parts = [
            service,
            self._when(order.scheduled_for),
            order.address or "地址请问老人",
            elder_name,
            f"电话{order.phone}" if order.phone else "",
            f"向老人收{order.pay_fen / 100:g}元",
        ]
        return "，".join(part for part in parts if part) + "。"

    def _when(self, scheduled_for: datetime | None) -> str:
        if scheduled_for is None:
            return "时间请和老人约"
        at = scheduled_for.astimezone(self.zone)
        return f"{at.month}月{at.day}日周{WEEKDAYS[at.weekday()]}{at:%H:%M}"
