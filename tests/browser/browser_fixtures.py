"""A console that runs, and a real Chromium in front of it.

`console`   a running `python -m ivr.console` with a store of its own.
`page`      what an operator looks at: 1280x720 at 125 %, in Chinese. A test fails when a page says
            something on the browser's console: an error in a script, or something that the
            content security policy kept out.

Pictures of the screens are kept below artefacts/screens.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Error, Page, ViewportSize, async_playwright, expect

from ivr.config import ROOT, Settings
from ivr.console.passwords import hash_password
from store import operators
from store.database import Store, open_store
from store.models import Operator, Role

SCREENS = ROOT / "artefacts" / "screens"
OFFICE = ViewportSize(width=1024, height=576)
"""What is left of 1280x720 at 125 %."""
PASSWORD = "correct horse"
PATIENCE_S = 60.0
expect.set_options(timeout=PATIENCE_S * 1000)


class Console:
    """One that runs as a process of its own; pages are at `url`."""

    def __init__(self, settings: Settings, env: dict[str, str]) -> None:
        self.settings = settings
        self.url = settings.console.url
        self.env = env
        self.store: Store = open_store(settings.database)
        self._process: subprocess.Popen[bytes] | None = None

    def operator(
        self, name: str = "wang", display_name: str = "王芳", role: Role = Role.OPERATOR
    ) -> Operator:
        """Makes somebody who can log in with PASSWORD."""
        return operators.add(
            self.store, name, display_name, role, hash_password(PASSWORD), "sip secret"
        )

    def start(self) -> None:
        """Returns when it answers."""
        self.settings.run_dir.mkdir(parents=True, exist_ok=True)
        with (self.settings.run_dir / "console.log").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ivr.console"],
                env={**os.environ, **self.env},
                stdout=out,
                stderr=out,
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                return
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def log(self) -> str:
        return (self.settings.run_dir / "console.log").read_text()

    def close(self) -> None:
        self._end(signal.SIGTERM)
        self.store.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None


def make_console(folder: Path) -> Console:
    """On a free port, not started yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {
        "YIHU_DATA_DIR": str(folder),
        "YIHU_CONFIG": str(folder / "yihu.toml"),
        "YIHU_CONSOLE__PORT": str(port),
    }
    settings = Settings(data_dir=folder, console={"port": port})  # type: ignore[arg-type]
    return Console(settings, env)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    made = make_console(tmp_path / "site")
    made.start()
    yield made
    made.close()


class Watcher:
    """What a page complained of."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self.expected: tuple[str, ...] = ()
        """Parts of complaints that belong to the test."""
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _error(self, error: Error) -> None:
        self.complaints.append(str(error))

    def check(self) -> None:
        left = [one for one in self.complaints if not any(part in one for part in self.expected)]
        assert not left, left


def chromium() -> str:
    path = shutil.which("chromium")
    assert path, "no chromium: `yihu test` installs it"
    return path


@asynccontextmanager
async def browsing() -> AsyncIterator[Page]:
    """A page of a browser of its own; `watcher_of` tells what it complained of."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--lang=zh-CN"]
        )
        context = await browser.new_context(
            viewport=OFFICE, device_scale_factor=1.25, locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        context.set_default_timeout(PATIENCE_S * 1000)
        page = await context.new_page()
        yield page
        await browser.close()


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    async with browsing() as opened:
        yield opened


@pytest_asyncio.fixture
async def watcher(page: Page) -> AsyncIterator[Watcher]:
    watching = Watcher(page)
    yield watching
    watching.check()


async def log_in(page: Page, url: str, name: str = "wang") -> None:
    """With the keyboard alone."""
    await page.goto(f"{url}/login")
    await expect(page.get_by_label("用户名")).to_be_focused()
    await page.keyboard.type(name)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(lambda at: not at.endswith("/login"))


async def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Kept for people to look at; whole: with what is below the edge of the screen too."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SCREENS / f"{name}.png", full_page=whole)


async def accessible(page: Page) -> None:
    """Nothing for axe to find, and nothing beyond the edge of the screen."""
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{page.url} is {wide} px too wide"
