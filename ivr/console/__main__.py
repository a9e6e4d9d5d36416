"""The console's process: `python -m ivr.console`, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys

import structlog
from aiohttp import web

from ivr import monitoring, systemd
from ivr.apart import BEHIND_CALLS
from ivr.catalog import CatalogError, load_catalog, services
from ivr.config import ConfigError, Settings, load_settings
from ivr.console.app import make_app
from ivr.console.texts import TextError
from ivr.logs import set_up_logs
from store.database import Store, StoreError, open_store
from store.services import sync

log = structlog.get_logger()


class ConsoleError(Exception):
    """The console cannot start; one line that says why and what to do."""


def tls(settings: Settings) -> ssl.SSLContext | None:
    """Raises ConsoleError."""
    certificate, key = settings.console.certificate, settings.console.key
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConsoleError(f"console.certificate and console.key: {error}") from error
    return context


async def serve(settings: Settings, store: Store) -> None:
    """Raises ConsoleError, CatalogError, TextError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(make_app(settings, store), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    own = settings.console
    try:
        await web.TCPSite(runner, own.host, own.port, ssl_context=tls(settings)).start()
    except OSError as error:
        raise ConsoleError(f"cannot listen: {error.strerror or error}") from error
    log.info("ready", address=own.url)

    async def missing() -> list[str]:
        unwritable = await asyncio.to_thread(monitoring.unwritable, store)
        return [unwritable] if unwritable else []

    watched = settings.monitoring
    async with monitoring.monitored(watched.host, watched.console_port, missing):
        systemd.tell(systemd.READY)
        await stop.wait()
        systemd.tell(systemd.STOPPING)
    await runner.cleanup()
    log.info("stopped")


def main() -> int:
    try:
        os.nice(BEHIND_CALLS)
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_format)
        store = open_store(settings.database)
        sync(store, services(load_catalog()))  # an order can only be for a known service
        asyncio.run(serve(settings, store))
        store.close()
    except (ConsoleError, ConfigError, CatalogError, TextError, StoreError) as error:
        print(f"yihu console: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
