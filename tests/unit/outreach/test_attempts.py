from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ivr.config import Settings
from ivr.outreach.attempts import Attempts
from ivr.outreach.promises import Ended

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

    def __init__(self, mine: list[UUID], at_once: bool = True) -> None:
        self.mine = mine
        self.at_once = at_once
        self.told: list[UUID] = []

    def look(self, by: str, at: datetime, lease: timedelta) -> list[UUID]:
        return self.mine

    def attempts(self) -> set[UUID]:
        return set(self.mine)

    def reached(self, attempt: UUID, at: datetime) -> None:
        self.told.append(attempt)

    def ended(self, ended: Iterable[Ended]) -> bool:
        self.told += [one.attempt for one in ended]
        return self.at_once

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


def test_asterisk_remembers_a_call_until_what_came_of_it_is_written_down() -> None:
    async def run() -> None:
        first, second = uuid4(), uuid4()
        follow_ups, asterisk = Owed([first, second], at_once=False), Asterisk([first, second])
        attempts = Attempts(asterisk, Settings(), (follow_ups,), lambda: NOW)  # type: ignore[arg-type]
        await attempts.look()
        await attempts.look()
        assert sorted(follow_ups.told) == sorted([first, second]) and not attempts.under_way
        ended = attempts.ended
        assert set(ended) == set(map(UUID, asterisk.kept)) == {first, second}
        await attempts.entered([first])
        assert list(attempts.ended) == [second] and list(asterisk.kept) == [str(second)]

    asyncio.run(run())
