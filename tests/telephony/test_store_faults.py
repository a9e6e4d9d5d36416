"""The store fails while people talk: nobody hears 订好了 in vain, and nobody is cut off."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from call_fixtures import (
    AT_NINE,
    HAIRCUT,
    KNOWN_NUMBERS,
    SOON_S,
    YES,
    Caller,
    Say,
    caller_of,
    introduce_elders,
)
from conftest import Site
from disk import Disk

from store import backup

pytestmark = pytest.mark.faults
DONE = Say("不用了", until="再见")
ORDER = (HAIRCUT, AT_NINE, YES, DONE)
ONCE = ("我想请人来给我理发", "明天上午九点", "对的，没错", "不用了")
"""The same, by somebody who does not look into the store to see whether they were understood."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path).mounted() as disk:
        yield disk


def site_on(make_site: Callable[..., Site], url: str) -> Site:
    site = make_site(YIHU_DATABASE_URL=url)
    site.up()
    introduce_elders(site)
    return site


async def ordered(caller: Caller, number: str) -> list[str]:
    report = await caller.calls(*ORDER, number=number)
    return [row.code for row in caller.orders(report)]


async def gets_a_human(caller: Caller, number: str, *script: Say) -> None:
    """Whoever calls now says what they can, and stands in the operators' queue in the end."""
    leave = asyncio.Event()
    async with caller.queue() as queue:
        call = asyncio.create_task(caller.calls(*script, number=number, leave=leave))
        joined = await queue.joined(number)
        leave.set()
        report = await call
    assert joined
    heard = [one for one in report.exchanges if one.label == YES.text and one.answer_s is not None]
    assert not any(caller.sounds_like(caller.answer(report, one), "订好了") for one in heard)


async def test_full_disk_sends_callers_to_humans_and_all_is_well_once_there_is_room(
    make_site: Callable[..., Site], disk: Disk
) -> None:
    site = await asyncio.to_thread(site_on, make_site, f"sqlite:///{disk.folder / 'y.sqlite3'}")
    async with caller_of(site) as caller:
        assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]
        await asyncio.to_thread(disk.fill)
        await gets_a_human(caller, KNOWN_NUMBERS[1], *ORDER[:3])
        await asyncio.to_thread(disk.empty)
        assert await ordered(caller, KNOWN_NUMBERS[2]) == ["haircut"]
        assert backup.check(caller.store).problems == []
    await asyncio.to_thread(site.down)


async def test_disk_that_fails_sends_callers_to_humans_and_keeps_what_was_booked(
    make_site: Callable[..., Site], disk: Disk
) -> None:
    """From the middle of a call on, nothing can be written any more."""
    path = disk.folder / "y.sqlite3"
    site = await asyncio.to_thread(site_on, make_site, f"sqlite:///{path}")
    async with caller_of(site) as caller:
        assert await ordered(caller, KNOWN_NUMBERS[0]) == ["haircut"]
        leave = asyncio.Event()
        async with caller.queue() as queue:
            number = KNOWN_NUMBERS[1]
            call = asyncio.create_task(caller.calls(*ONCE[:3], number=number, leave=leave))
            async with asyncio.timeout(SOON_S):
                while not any(  # noqa: ASYNC110
                    row.summary.get("service") for row in caller.calls_from(number)
                ):
                    await asyncio.sleep(0.1)
            await asyncio.to_thread(disk.fail)
            assert await queue.joined(number)
            leave.set()
            await call
        await gets_a_human(caller, KNOWN_NUMBERS[2])
    copy = disk.folder.parent / "copy.sqlite3"
    await asyncio.to_thread(shutil.copy, path, copy)
    wal = Path(f"{path}-wal")
    if await asyncio.to_thread(wal.exists):
        await asyncio.to_thread(shutil.copy, wal, f"{copy}-wal")
    checked = await asyncio.to_thread(backup.check_file, copy)
    assert (checked.problems, checked.rows["work_order"]) == ([], 1)
    await asyncio.to_thread(site.down)
