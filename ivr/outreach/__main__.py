"""The process that keeps promises: `python -m ivr.outreach`.

It ends when it is told to, or when a task fails for a reason that nobody expects: the supervisor
starts it again, and all that it knows is in the store.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta

import aiohttp
import structlog

from ivr import monitoring, systemd
from ivr.apart import BEHIND_CALLS
from ivr.catalog import CatalogError, load_catalog
from ivr.config import ConfigError, Settings, load_settings
from ivr.logs import set_up_logs
from ivr.outreach import metrics
from ivr.outreach.dialler import Dialler, agent_room
from ivr.outreach.overhearing import agent_may, keep_overhearing
from ivr.outreach.queue_watch import keep_rotated, watch_queue
from ivr.outreach.sms.service import serve_sms
from ivr.outreach.timetable import Timetable
from ivr.recordings import keep_deleting
from ivr.telephony import pbx
from ivr.telephony.ami import Ami
from ivr.telephony.journal import keep_journal
from ivr.telephony.members import keep_members
from ivr.telephony.telephones import keep_telephones
from store.database import Store, StoreError, open_store
from store.models import QueueEnd

log = structlog.get_logger()


async def serve(settings: Settings, place: pbx.Place, store: Store) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    catalog = await asyncio.to_thread(load_catalog)
    manager = Ami("127.0.0.1", settings.asterisk.ami_port, pbx.AMI_USER, settings.secrets.ami)
    queue_log = settings.asterisk.queue_log or place.host(place.log) / "queue_log"
    grace = timedelta(seconds=settings.callback.after_hangup_s)
    own = settings.monitoring

    async def missing() -> list[str]:
        unwritable = await asyncio.to_thread(monitoring.unwritable, store)
        away = [] if manager.connected else ["no connection to Asterisk's manager interface"]
        return [*away, unwritable] if unwritable else away

    async with (
        manager as ami,
        monitoring.monitored(
            own.host, own.outreach_port, missing, lambda: metrics.refresh(store, ami)
        ),
        aiohttp.ClientSession() as http,
        asyncio.TaskGroup() as group,
    ):
        timetable = await asyncio.to_thread(Timetable, store, settings)
        withdrawn: dict[str, QueueEnd] = {}
        dialler = Dialler(store, ami, settings, catalog, agent_room(settings, http))
        tasks = [
            group.create_task(watch_queue(store, ami, queue_log, grace, withdrawn), name="queue"),
            group.create_task(dialler.run(), name="dialler"),
            group.create_task(timetable.run(), name="timetable"),
            group.create_task(keep_telephones(store, ami), name="telephones"),
            group.create_task(keep_journal(store, ami), name="journal"),
            group.create_task(keep_members(store, ami, settings), name="members"),
            group.create_task(keep_deleting(settings, place, store), name="old sound"),
            group.create_task(serve_sms(store, settings), name="sms"),
        ]
        if settings.asterisk.queue_log is None:  # or else somebody else sees to it
            tasks.append(group.create_task(keep_rotated(ami, queue_log), name="queue log"))
        if settings.queue.listens:
            overhearing = keep_overhearing(ami, agent_may(settings, http), withdrawn)
            tasks.append(group.create_task(overhearing, name="overhearing"))
        log.info("ready", gateway=settings.outbound.gateway or "none")
        systemd.tell(systemd.READY)
        await stop.wait()
        systemd.tell(systemd.STOPPING)
        for task in tasks:
            task.cancel()
    log.info("stopped")


def main() -> int:
    try:
        os.nice(BEHIND_CALLS)
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_format)
        place = pbx.find_place(settings)
        if place is None:
            print("yihu outreach: no Asterisk here: run `yihu up`", file=sys.stderr)
            return 1
        store = open_store(settings.database)
        try:
            asyncio.run(serve(settings, place, store))
        finally:
            store.close()
    except (CatalogError, ConfigError, StoreError) as error:
        print(f"yihu outreach: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
