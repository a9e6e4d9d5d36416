"""Real Asterisk for tests, one instance a fixture, each with its own ports and folders.

`asterisk`  (session) Asterisk alone; the agent's ports are closed until a test opens them.
`site`      (session) the whole thing, brought up by `yihu up -d`.
`make_site` (session) makes further ones, for tests that break theirs.
`caller`    somebody who telephones `site`: call_fixtures.py.

A test that breaks its site has one of its own: the others need theirs whole. Tests run in several
processes at once (pytest-xdist), a file in one of them; each process has its own fixtures.
A test that fails tells what was said in its calls and the end of every site's logs.

A Site has `settings`, `env` (for `yihu` commands), `start_asterisk()`, `up()`, `down()`,
`pid("agent")`, `kill("agent")` and `ami()`. Models, spoken prompts and the installed Asterisk are
those of the user's own settings, so nothing is downloaded or spoken twice.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from unittest import mock

import pytest
from call_fixtures import Caller, answering_site, caller  # noqa: F401

from ivr import supervisor
from ivr.config import load_settings
from ivr.telephony import pbx
from ivr.telephony.ami import Ami

PROCESSES = 8
"""Test processes that may run at once, each with its own share of the ports."""
LOG_LINES = 25
logged: list[Site] = []
"""Sites of this process, for the logs in the report of a test that failed."""


_given: set[int] = set()
"""TCP ports that a site of this process was given."""


def free_ports(kind: socket.SocketKind, count: int, start: int, end: int) -> int:
    """First of `count` ports in a row that nobody has at the moment.

    What is free now could be taken by another test process before we take it, so each process
    looks in a part of its own; and a TCP port that a site of this one was given is not given again,
    though nobody may be there at the moment.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    share = (end - start) // PROCESSES
    start += number * share
    end = start + share
    for _ in range(200):
        first = random.randrange(start, end - count, 2)
        wanted = range(first, first + count)
        if kind == socket.SOCK_STREAM and not _given.isdisjoint(wanted):
            continue
        try:
            for port in wanted:
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given.update(wanted)
        return first
    raise RuntimeError("no free ports")


def wait_until(happens: Callable[[], bool], seconds: float = 120) -> None:
    """For what another process does and tells nobody; fails if it does not happen."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


class Site:
    """One instance. `yihu` commands find it through `env`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        users = load_settings()
        rtp = free_ports(socket.SOCK_DGRAM, 200, 20000, 32000)
        self.env = {
            "YIHU_DATA_DIR": str(folder),
            "YIHU_MODELS_DIR": str(users.models),
            "YIHU_CACHE_DIR": str(users.cache_dir),
            "YIHU_ASTERISK__ROOT": str(pbx.root_dir(users)),
            "YIHU_ASTERISK__AMI_PORT": str(free_ports(socket.SOCK_STREAM, 1, 15000, 17000)),
            "YIHU_SIP__PORT": str(free_ports(socket.SOCK_DGRAM, 2, 17000, 19000)),
            "YIHU_SIP__RTP_START": str(rtp),
            "YIHU_SIP__RTP_END": str(rtp + 199),
            "YIHU_AGENT__AUDIOSOCKET_PORT": str(free_ports(socket.SOCK_STREAM, 1, 12000, 14000)),
            "YIHU_AGENT__HTTP_PORT": str(free_ports(socket.SOCK_STREAM, 1, 14000, 15000)),
            "YIHU_CONSOLE__PORT": str(free_ports(socket.SOCK_STREAM, 1, 19000, 20000)),
            "YIHU_MONITORING__OUTREACH_PORT": str(free_ports(socket.SOCK_STREAM, 1, 10000, 11000)),
            "YIHU_MONITORING__CONSOLE_PORT": str(free_ports(socket.SOCK_STREAM, 1, 11000, 12000)),
            # Several sites run side by side; each process of a recogniser takes seconds to start.
            "YIHU_RECOGNISER__THREADS": "1",
            **settings,
        }
        with mock.patch.dict(os.environ, self.env):
            self.settings = load_settings()
        self._asterisk: subprocess.Popen[bytes] | None = None
        self._up = False
        logged.append(self)

    def ami(self) -> Ami:
        port = self.settings.asterisk.ami_port
        return Ami("127.0.0.1", port, pbx.AMI_USER, self.settings.secrets.ami)

    def start_asterisk(self) -> None:
        """Asterisk alone; returns when it has booted."""
        place = pbx.find_place(self.settings)
        assert place is not None, "no Asterisk: run `yihu asterisk install`"
        supervisor.write_sounds(self.settings, place)
        pbx.prepare(self.settings, place)
        self.settings.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.settings.run_dir / "asterisk.log").open("ab") as out:
            self._asterisk = subprocess.Popen(
                place.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        asyncio.run(self._booted())

    def kill_asterisk(self) -> None:
        """One that was started alone."""
        assert self._asterisk is not None
        self._asterisk.kill()
        self._asterisk.wait(10)
        self._asterisk = None

    def start_outreach(self) -> subprocess.Popen[bytes]:
        """Outreach alone; whoever starts it ends it."""
        with (self.settings.run_dir / "outreach.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "ivr.outreach"],
                env={**os.environ, **self.env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    async def _booted(self) -> None:
        manager = self.ami()
        with manager.events("FullyBooted") as booted:
            async with manager, asyncio.timeout(30):
                await anext(booted)

    def yihu(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a `yihu` command on this instance."""
        return subprocess.run(
            [sys.executable, "-c", "from ivr.cli import main; main()", *arguments],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=900,
        )

    def up(self) -> None:
        """The whole thing; returns when a call can be made."""
        self._up = True
        done = self.yihu("up", "-d")
        assert done.returncode == 0, done.stderr

    def down(self) -> None:
        if self._asterisk is not None:
            self._asterisk.terminate()
            self._asterisk.wait(10)
            self._asterisk = None
        if self._up:
            done = self.yihu("down", "--now")
            assert done.returncode == 0, done.stderr
            self._up = False

    def pid(self, name: str) -> int:
        """Process id of `asterisk` or `agent`, started by up()."""
        return supervisor.read_state(self.settings).children[name]["pid"]

    def kill(self, name: str) -> None:
        os.kill(self.pid(name), signal.SIGKILL)

    def logs(self) -> str:
        """The end of each."""
        told = [f"{self.settings.data_dir}: {supervisor.read_state(self.settings)}"]
        for path in sorted(self.settings.run_dir.glob("*.log")):
            told += [path.name, *path.read_text(errors="replace").splitlines()[-LOG_LINES:]]
        return "\n".join(told)

    def remove(self) -> None:
        """Stops it and removes what it left inside the shared Asterisk folder."""
        self.down()
        logged.remove(self)
        place = pbx.find_place(self.settings)
        if place is not None and place.root:
            shutil.rmtree(place.host(place.base), ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whoever reads of a failure was not on the line: what was said belongs to the report."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        caller = item.funcargs.get("caller")
        if isinstance(caller, Caller) and call.when == "call":
            report.sections.append(("calls of this test", caller.story()))
        for site in logged:
            report.sections.append(("a site's logs", site.logs()))
    return report


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """make_site(YIHU_AGENT__MAX_CALLS="1", ...) gives a Site that is not started yet."""
    made: list[Site] = []

    def make(**settings: str) -> Site:
        made.append(Site(tmp_path_factory.mktemp("site"), **settings))
        return made[-1]

    yield make
    for site in made:
        site.remove()


@pytest.fixture(scope="session")
def asterisk(make_site: Callable[..., Site]) -> Site:
    site = make_site()
    site.start_asterisk()
    return site


@pytest.fixture(scope="session")
def site(make_site: Callable[..., Site]) -> Site:
    site = make_site()
    site.up()
    return site


@pytest.fixture
def outreach(own_asterisk: Site) -> Iterator[subprocess.Popen[bytes]]:
    """The process that keeps promises, at the Asterisk of the test's own module."""
    process = own_asterisk.start_outreach()
    yield process
    process.terminate()
    process.wait(30)
