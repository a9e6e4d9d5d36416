"""The messages' part of the outreach process alone, so that it can be killed: no Asterisk here."""

from __future__ import annotations

import asyncio
import signal

from ivr.config import load_settings
from ivr.logs import set_up_logs
from ivr.outreach.sms.service import serve_sms
from store.database import open_store


async def run() -> None:
    settings = load_settings()
    set_up_logs(settings.log_level)
    serving = asyncio.create_task(serve_sms(open_store(settings.database), settings))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    await asyncio.wait([serving])


asyncio.run(run())
