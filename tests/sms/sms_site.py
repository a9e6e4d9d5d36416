"""A site with real Kannel, and elders who have been asked for a rating by message.

`site` is the whole of it: the store, Kannel, the handsets, and our process that sends and reads,
which a test may kill.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from unittest import mock
from uuid import uuid4

import pytest
import yaml
from kannel import Handsets, Kannel, free_ports, installed, listens, wait_until
from sqlmodel import select

from ivr.config import ROOT, Settings, load_settings
from ivr.outreach.sms.kannel import configuration
from ivr.outreach.sms.wording import rating_request
from store import elders, follow_ups, messages, services
from store.calls import begin_call
from store.database import Store, open_store
from store.models import (
    Complaint,
    FollowUpState,
    OrderStatus,
    Rating,
    Service,
    SmsOut,
    SmsPurpose,
    SmsState,
    WorkOrder,
)

BATHING = Service(code="bathing", name="助浴", unit="hour", price_fen=3500)
DAY = date(2026, 11, 22)


def written_forms() -> list[tuple[str, str]]:
    """What people write, and what it means: the test sentences of all dialects."""
    files = sorted((ROOT / "grammars").glob("*/tests/written.yaml"))
    return [
        (code, text)
        for file in files
        for code, texts in yaml.safe_load(file.read_text(encoding="utf-8")).items()
        for text in texts
    ]


class Site:
    def __init__(self, folder: Path) -> None:
        sendsms, listen = free_ports(2)
        self.env = {
            "YIHU_CONFIG": str(folder / "none.toml"),
            "YIHU_DATA_DIR": str(folder / "data"),
            "YIHU_SMS__GATEWAY": "kannel",
            "YIHU_SMS__KANNEL__URL": f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms",
            "YIHU_SMS__KANNEL__PASSWORD": "of Kannel",
            "YIHU_SMS__LISTEN_PORT": str(listen),
            "YIHU_SMS__HOURS_FROM": "00:00",
            "YIHU_SMS__HOURS_TO": "23:59:59.999",
            "YIHU_SMS__RETRY_FIRST_S": "0.5",
            "YIHU_SMS__RETRY_MOST_S": "1",
        }
        with mock.patch.dict(os.environ, self.env):
            self.settings: Settings = load_settings()
        self.store: Store = open_store(self.settings.database)
        services.sync(self.store, [BATHING.model_copy()])
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

    # --- people ---

    def ask(self, phone: str, elder: str = "") -> int:
        """An order that is done, and whose elder is asked by message; gives the order's id."""
        now = datetime.now(UTC)
        elder_id = None
        if elder:
            new = elders.Registration(phone, elder, f"{elder}家")
            elder_id = elders.register(self.store, new).elder.id
        call = begin_call(self.store, uuid4(), phone, now)
        with self.store.write() as session:
            order = WorkOrder(
                call_id=call.id,
                code="bathing",
                phone=phone,
                elder_id=elder_id,
                status=OrderStatus.COMPLETED,
                completed_at=now,
                price_fen=3500,
                pay_fen=3500,
                created_at=now,
            )
            session.add(order)
            session.flush()
            row = follow_ups.plan_rating(session, order, now)
            row.state = FollowUpState.MESSAGED
            text = rating_request(elder_name=elder, service="助浴", day=DAY, site="一呼")
            messages.queue_sms(
                session,
                key=row.key,
                phone=phone,
                text=text,
                purpose=SmsPurpose.RATING,
                at=now,
                follow_up_id=row.id,
                order_id=order.id,
            )
            assert order.id is not None
            return order.id

    def ratings(self) -> dict[int, Rating]:
        return {row.order.id or 0: row.rating for row in follow_ups.newest_ratings(self.store)}

    def complaints(self) -> list[Complaint]:
        with self.store.read() as session:
            return list(session.exec(select(Complaint)))

    def order(self, id: int) -> WorkOrder:
        with self.store.read() as session:
            found = session.get(WorkOrder, id)
        assert found is not None
        return found

    def out(self, *states: SmsState) -> list[SmsOut]:
        return messages.newest_out(self.store, states=states)

    def all_are(self, state: SmsState) -> bool:
        return all(row.state is state for row in self.out())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Kannel, handsets and our process are running."""
    if not installed():
        pytest.fail("Kannel is missing: run `yihu test`, or apt-get install kannel kannel-extras")
    made = Site(tmp_path)
    try:
        made.kannel.start()
        made.handsets.switch_on()
        made.start()
        yield made
    finally:
        made.close()
        print(made.log.read_text()[-4000:] if made.log.exists() else "")
