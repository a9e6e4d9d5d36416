"""Real Kannel and its fakesmsc: a network and handsets of our own.

`Kannel` has bearerbox and smsbox in a folder and on ports of its own, with the configuration that
`yihu sms kannel` prints for the site. `Handsets` is fakesmsc: every number there is. It takes one
connection at a time and sends what it was started with, so each message sent starts it anew.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

BEARERBOX, SMSBOX = "/usr/sbin/bearerbox", "/usr/sbin/smsbox"
FAKESMSC = "/usr/lib/kannel/test/fakesmsc"
OURS = "106900001"
"""The number that elders write to."""
LOCALHOST = "127.0.0.1"
_ASKED = re.compile(r"sendsms sender:<[^>]*> \([^)]*\) to:<(\d+)>")
_GOT = re.compile(rb"Got message \d+: <(\S+) (\S+) (\S+) (.*)>")


def installed() -> bool:
    return all(shutil.which(program) for program in (BEARERBOX, SMSBOX, FAKESMSC))


def free_ports(count: int) -> list[int]:
    """Below those that the system gives to connections, so that nobody else gets them."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(23000, 31000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOCALHOST, port))
            if port not in found:
                found.append(port)
    return found


def wait_until(happens: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """For what another process does and tells nobody; fails if it does not happen."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"it did not happen: {what}"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOCALHOST, port)) == 0


class Kannel:
    def __init__(self, folder: Path, configuration: str, sendsms_port: int) -> None:
        self.admin_port, self.box_port, self.smsc_port = free_ports(3)
        self.sendsms_port = sendsms_port
        self.folder = folder
        spool = folder / "spool"
        spool.mkdir(parents=True)
        self._file = folder / "kannel.conf"
        self._file.write_text(
            f"""\
group = core
admin-port = {self.admin_port}
admin-password = secret
admin-interface = {LOCALHOST}
smsbox-port = {self.box_port}
smsbox-interface = {LOCALHOST}
store-type = spool
store-location = "{spool}"
dlr-storage = internal
sms-resend-freq = 1

group = smsc
smsc = fake
smsc-id = fake
host = {LOCALHOST}
port = {self.smsc_port}
connect-allow-ip = {LOCALHOST}

group = smsbox
bearerbox-host = {LOCALHOST}
bearerbox-port = {self.box_port}
sendsms-port = {sendsms_port}
sendsms-interface = {LOCALHOST}
global-sender = {OURS}
http-request-retry = 1000000
http-queue-delay = 1

{configuration}"""
        )
        self._boxes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Returns when both boxes are up and know each other."""
        for program, port in ((BEARERBOX, self.box_port), (SMSBOX, self.sendsms_port)):
            with (self.folder / f"{Path(program).name}.log").open("ab") as log:
                self._boxes.append(
                    subprocess.Popen([program, "-v", "1", str(self._file)], stdout=log, stderr=log)
                )
            wait_until(lambda port=port: listens(port), f"{program} listens")  # type: ignore[misc]
        wait_until(lambda: "smsbox:" in self.status(), "smsbox is there")

    def status(self) -> str:
        url = f"http://{LOCALHOST}:{self.admin_port}/status.txt"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode("utf-8", "replace"))

    def freeze(self) -> None:
        """smsbox takes what it is asked for and has no answer to give until `thaw`."""
        self._boxes[0].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._boxes[0].send_signal(signal.SIGCONT)

    def asked_to_send(self, prefix: str) -> list[str]:
        """The numbers beginning so that it was asked to send to, each as often as it was asked."""
        log = (self.folder / "smsbox.log").read_text(errors="replace")
        return [number for number in _ASKED.findall(log) if number.startswith(prefix)]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Both boxes; SIGKILL is a power cut."""
        for box in reversed(self._boxes):
            box.send_signal(how)
        for box in self._boxes:
            box.wait(30)
        self._boxes.clear()


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a handset shows it, or a part of one."""

    sender: str
    phone: str
    text: str
    part: bool = False
    """Has a header that puts parts together."""


class Handsets:
    def __init__(self, kannel: Kannel) -> None:
        self._kannel = kannel
        self._logs: list[Path] = []
        self._running: subprocess.Popen[bytes] | None = None

    def switch_on(self, *message: str) -> None:
        """Connects to the network, again if they were; with something to send, sends it."""
        self.switch_off()
        self._logs.append(self._kannel.folder / f"fakesmsc.{len(self._logs)}.log")
        command = [FAKESMSC, "-H", LOCALHOST, "-r", str(self._kannel.smsc_port)]
        command += ["-m", "1" if message else "0", *(message or ("1 2 text nothing",))]
        with self._logs[-1].open("wb") as out:
            self._running = subprocess.Popen(command, stdout=out, stderr=out)
        wait_until(lambda: "(online" in self._smsc(), "the handsets are connected")
        if message:
            log = self._logs[-1]
            wait_until(lambda: b"sent message 1" in log.read_bytes(), "the message is sent")

    def switch_off(self) -> None:
        if self._running is not None:
            self._running.terminate()
            self._running.wait(30)
            self._running = None
            wait_until(lambda: "(online" not in self._smsc(), "the handsets are gone")

    def write(self, phone: str, text: str) -> None:
        """Somebody writes to us; their handset takes answers afterwards."""
        data = quote_from_bytes(text.encode("utf-16-be"), safe="")
        self.switch_on(f"{phone} {OURS} ucs2 {data}")

    def shown(self, prefix: str) -> list[Shown]:
        """What handsets whose numbers begin so got so far, in its order."""
        found = [shown for log in self._logs for shown in _read(log.read_bytes())]
        return [one for one in found if one.phone.startswith(prefix)]

    def _smsc(self) -> str:
        try:
            lines = self._kannel.status().splitlines()
        except OSError:
            return ""  # Kannel is not running, so nobody is connected to it
        return next((line for line in lines if "FAKE:" in line), "")


def _read(log: bytes) -> Iterable[Shown]:
    for sender, phone, kind, data in _GOT.findall(log):
        part = kind.startswith(b"udh")
        if part:
            _, _, data = data.partition(b" ")
        raw = data if kind == b"text" else unquote_to_bytes(data.replace(b"+", b" "))
        text = raw.decode("utf-16-be" if b"ucs" in kind or part else "utf-8", "replace")
        yield Shown(sender.decode(), phone.decode(), text, part)
