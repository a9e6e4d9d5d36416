from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ivr.config import Settings
from ivr.outreach.attempts import Attempts
from ivr.outreach.promises import Missed

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


class Asterisk:
    """Everybody it has called is busy, and it keeps that until it is told to forget it."""

    connected = True

    def __init__(self, called: list[UUID]) -> None:
        self.kept = {str(attempt): "BUSY/17" for attempt in called}

    async def action(self, name: str, **fields: str) -> dict[str, Any]:
        if name == "DBDel":
            del self.kept[fields["Key"]]
        shown = fields.get("Command", "").split()[3:] or self.kept
        rows = [f"/yihu-outbound/{key} : {self.kept[key]}" for key in shown if key in self.kept]
        return {"Output": "\n".join(rows)}


class Owed:
    """Remembers what it is told of; `mine` are its attempts."""

    def __init__(self, mine: list[UUID]) -> None:
        self.mine = mine
        self.told: list[UUID] = []

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        return self.mine

    def attempts(self) -> set[UUID]:
        return set(self.mine)

    def reached(self, attempt: UUID, at: datetime) -> None:
        self.told.append(attempt)

    def over(self, attempt: UUID, at: datetime, served: bool) -> None:
        self.told.append(attempt)

    def missed(self, missed: Sequence[Missed], at: datetime) -> None:
        self.told += [one.attempt for one in missed]

    def release(self, attempt: UUID, at: datetime, why: str, wait_s: float) -> None:
        self.told.append(attempt)


def test_each_is_told_of_its_own_calls_though_several_end_while_it_is_looked() -> None:
    back, rating, another = uuid4(), uuid4(), uuid4()
    callbacks, follow_ups = Owed([back]), Owed([rating, another])
    asterisk = Asterisk([back, rating, another])
    attempts = Attempts(asterisk, Settings(), (callbacks, follow_ups), lambda: NOW)  # type: ignore[arg-type]
    asyncio.run(attempts.look())
    assert callbacks.told == [back]
    assert follow_ups.told == [rating, another]
    assert asterisk.kept == {} and not attempts.under_way
