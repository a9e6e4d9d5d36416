"""A site with real Kannel: the store, the network with its handsets, and our process that sends and
reads, which a test may kill. Each test has numbers of its own, which begin alike.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from kannel import Handsets, Kannel, free_ports, installed, listens, wait_until
from people import People

from ivr.config import ROOT, Settings, load_settings
from ivr.outreach.sms.kannel import configuration
from store.database import Store, open_store
from store.models import (
    SmsState,
)


class Site:
    def __init__(self, folder: Path) -> None:
        sendsms, listen = free_ports(2)
        self.env = {
            "YIHU_CONFIG": str(folder / "none.toml"),
            "YIHU_DATA_DIR": str(folder / "data"),
            "YIHU_SMS__GATEWAY": "kannel",
            "YIHU_SMS__KANNEL__URL": f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms",
            "YIHU_SMS__KANNEL__PASSWORD": "of Kannel",
            "YIHU_SMS__KANNEL__TIMEOUT_S": "5",
            "YIHU_SMS__LISTEN_PORT": str(listen),
            "YIHU_SMS__HOURS_FROM": "00:00",
            "YIHU_SMS__HOURS_TO": "23:59:59.999",
            "YIHU_SMS__RETRY_FIRST_S": "0.5",
            "YIHU_SMS__RETRY_MOST_S": "1",
        }
        with mock.patch.dict(os.environ, self.env):
            self.settings: Settings = load_settings()
        self.store: Store = open_store(self.settings.database)
        self.people = People(self.store)
        self.kannel = Kannel(folder / "kannel", configuration(self.settings), sendsms)
        self.handsets = Handsets(self.kannel)
        self.log = folder / "sms.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Our process; returns when it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "tests/sms/sms_process.py")],
                env=os.environ | self.env | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: listens(self.settings.sms.listen_port), "our process listens")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def close(self) -> None:
        self.stop()
        self.handsets.switch_off()
        self.kannel.stop()
        self.store.close()

    def arrived(self, prefix: str) -> bool:
        """All messages to numbers that begin so are delivered, as far as we know."""
        return all(row.state is SmsState.DELIVERED for row in self.people.out(prefix))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Kannel, handsets and our process are running, and again after a test that stopped them."""
    if not installed():
        pytest.fail("Kannel is missing: run `yihu test`, or apt-get install kannel kannel-extras")
    made = Site(tmp_path_factory.mktemp("site"))
    try:
        made.kannel.start()
        made.handsets.switch_on()
        made.start()
        yield made
    finally:
        made.close()
        print(made.log.read_text()[-4000:] if made.log.exists() else "")
