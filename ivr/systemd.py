"""What a process tells systemd of itself: that it is ready, ends, and lives. One that lives no more
is ended and started again by its unit's WatchdogSec. Where systemd did not start us, nothing.

The protocol is a datagram a message (sd_notify(3)).
"""

from __future__ import annotations

import os
import socket

import structlog

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"

log = structlog.get_logger()


def tell(message: str) -> None:
    """One of the above. Does not block; what cannot be sent is logged."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # the abstract namespace
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto(message.encode(), address)
    except OSError as error:
        log.warning("systemd is not told", message=message, reason=str(error))


def watches() -> bool:
    """Whether systemd waits to hear again and again that this very process lives."""
    return os.environ.get("WATCHDOG_PID") == str(os.getpid()) and "WATCHDOG_USEC" in os.environ
