"""A process that systemd has started tells that it is ready and lives, and tells it no more when it
is frozen; the real processes, and a systemd that only listens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Site

from ivr.supervisor import READY_SECONDS
from ivr.systemd import ALIVE, READY, STOPPING

WATCHDOG_S = 2.0
"""Four times as long as between two signs of life."""
SAYS_ITS_ID = 'WATCHDOG_PID=$$ exec "$@"'


class Systemd:
    """What a unit with Type=notify and WatchdogSec hears."""

    def __init__(self, folder: Path) -> None:
        self._address = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._address))

    def start(self, site: Site, module: str) -> subprocess.Popen[bytes]:
        site.settings.run_dir.mkdir(parents=True, exist_ok=True)
        told = {
            "NOTIFY_SOCKET": str(self._address),
            "WATCHDOG_USEC": f"{WATCHDOG_S * 1e6:.0f}",
        }
        with (site.settings.run_dir / f"{module}.log").open("ab") as out:
            return subprocess.Popen(
                ["sh", "-c", SAYS_ITS_ID, "sh", sys.executable, "-m", module],
                env={**os.environ, **site.env, **told},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def hears(self, within_s: float) -> str:
        """The next message; empty if none comes."""
        self._socket.settimeout(within_s)
        try:
            return self._socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def waits_for(self, message: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self.hears(READY_SECONDS) != message:
            assert time.monotonic() < deadline, f"no {message}"

    def forget(self) -> None:
        """What was sent until now."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path)
    yield listening
    listening.close()


@pytest.mark.faults
@pytest.mark.parametrize(
    "module",
    ["ivr.agent", "ivr.outreach", "ivr.console"],
)
def test_process_that_freezes_is_silent_until_it_is_started_again(
    make_site: Callable[..., Site], systemd: Systemd, module: str
) -> None:
    site = make_site()
    frozen = systemd.start(site, module)
    try:
        systemd.waits_for(READY)
        for _ in range(2):
            systemd.waits_for(ALIVE)
        frozen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, frozen.pid, os.WSTOPPED)
        systemd.forget()
        assert systemd.hears(WATCHDOG_S) == ""
    finally:
        frozen.kill()
        frozen.wait(30)
    again = systemd.start(site, module)
    try:
        systemd.waits_for(READY)
        systemd.waits_for(ALIVE)
        again.terminate()
        systemd.waits_for(STOPPING)
        assert again.wait(30) == 0
    finally:
        again.kill()
        again.wait(30)
