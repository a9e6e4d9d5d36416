"""Kannel: its smsbox is asked over HTTP to send, and asks us over HTTP with what came in.

https://www.kannel.org/download/kannel-userguide-snapshot/userguide.html, "Using the SendSMS
Interface" and "Delivery reports". Kannel does not know a message again that it is given twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes
from uuid import UUID

import aiohttp

from ivr.config import KannelSettings, Settings
from ivr.outreach.sms.gateway import (
    CONNECT_S,
    NOT_SAID,
    Answer,
    BadWebhook,
    Incoming,
    NotTaken,
    Reported,
    Taken,
    Unknown,
    Unsigned,
)
from ivr.outreach.sms.parts import coded
from store.messages import Report
from store.models import SmsOut

NAME = "kannel"
DELIVERED, FAILED, BUFFERED, ACCEPTED, REJECTED = 1, 2, 4, 8, 16
ALL_REPORTS = DELIVERED | FAILED | BUFFERED | ACCEPTED | REJECTED
REPORTS = {
    DELIVERED: Report.DELIVERED,
    FAILED: Report.FAILED,
    BUFFERED: Report.ACCEPTED,
    ACCEPTED: Report.ACCEPTED,
    REJECTED: Report.FAILED,
}
IN_PATH, REPORT_PATH = "/sms/kannel/in", "/sms/kannel/report"
ANSWER_BYTES = 500


def token(secret: str) -> str:
    """What Kannel shows in the addresses it asks us at, since it cannot sign."""
    return hmac.new(secret.encode(), b"kannel asks us", hashlib.sha256).hexdigest()[:32]


class Kannel:
    name = NAME
    repeatable = False

    def __init__(
        self, settings: KannelSettings, http: aiohttp.ClientSession, ours: str, secret: str
    ) -> None:
        """`ours`: the address of our listener as Kannel sees it, http://host:port."""
        self._settings = settings
        self._http = http
        self._report_url = (
            f"{ours}{REPORT_PATH}?token={token(secret)}"
            "&reference={reference}&status=%d&id=%F&answer=%A"
        )

    async def send(self, message: SmsOut) -> Answer:
        own = self._settings
        query = {
            "username": own.user,
            "password": own.password.get_secret_value(),
            "to": message.phone,
            "text": message.text,
            "charset": "UTF-8",
            "coding": "2" if coded(message.text).ucs2 else "0",
            "dlr-mask": str(ALL_REPORTS),
            "dlr-url": self._report_url.format(reference=message.reference),
        }
        if own.sender:
            query["from"] = own.sender
        try:
            async with self._http.get(
                own.url,
                params=query,
                timeout=aiohttp.ClientTimeout(total=own.timeout_s, sock_connect=CONNECT_S),
                allow_redirects=False,
            ) as response:
                answer = (await response.content.read(ANSWER_BYTES)).decode("utf-8", "replace")
                return _answered(response.status, " ".join(answer.split()))
        except NOT_SAID as error:
            return NotTaken(f"Kannel is not there: {type(error).__name__}", gateway_down=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unknown(f"Kannel did not answer: {type(error).__name__}")


def _answered(status: int, text: str) -> Answer:
    why = f"Kannel: {status} {text}"
    if status in (200, 202):
        return Taken()  # 0: accepted, 3: queued for later; its own name comes with the report
    if status == 503:
        return NotTaken(why, gateway_down=True)
    if status == 403 and ("denied by" in text or "Not routable" in text):
        return NotTaken(why, again=False)
    if status in (401, 403, 404):  # the settings are wrong, not the message
        return NotTaken(why, gateway_down=True)
    if 400 <= status < 500:
        return NotTaken(why, again=False)
    return Unknown(why)


def configuration(settings: Settings) -> str:
    """The part of Kannel's configuration file that makes it ours; the rest is the site's own."""
    own, shown = settings.sms.kannel, token(settings.secrets.http)
    get_url = f"{settings.sms.ours}{IN_PATH}?token={shown}&id=%I&from=%p&charset=%C&text=%b"
    return f"""\
# In group core, so that Kannel itself loses nothing when it is killed:
#   store-type = spool
#   store-location = "/var/spool/kannel"
#   dlr-storage = internal   (forgotten when it ends; mysql, pgsql, sqlite3 or redis are kept)
# In group smsbox, so that what comes in is told again until we have it:
#   http-request-retry = 1000000
#   http-queue-delay = 5

group = sendsms-user
username = {own.user}
password = {own.password.get_secret_value()}
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
get-url = "{get_url}"
max-messages = 0
"""


def read_incoming(query: str, secret: str) -> Incoming:
    """Of the query as it came over the wire. Raises BadWebhook, Unsigned."""
    fields = _fields(query, secret)
    charset = fields.get("charset", b"").decode("ascii", "replace") or "utf-8"
    try:
        text = fields["text"].decode(charset, "replace")
        id, phone = fields["id"].decode("ascii"), fields["from"].decode()
    except (KeyError, LookupError, ValueError) as error:
        raise BadWebhook(f"no message of Kannel's: {type(error).__name__} {error}") from error
    if not id:
        raise BadWebhook("a message without an id")
    return Incoming(id, phone, text)


def read_report(query: str, secret: str) -> Reported:
    """Raises BadWebhook, Unsigned."""
    fields = _fields(query, secret)
    try:
        status = int(fields["status"])
        reference = UUID(fields["reference"].decode("ascii"))
        told = REPORTS[status]
    except (KeyError, ValueError) as error:
        raise BadWebhook(f"no report of Kannel's: {type(error).__name__} {error}") from error
    id = fields.get("id", b"").decode("utf-8", "replace")
    answer = fields.get("answer", b"").decode("utf-8", "replace").strip()
    return Reported(reference, told, id, answer if told is Report.FAILED else "")


def _fields(query: str, secret: str) -> Mapping[str, bytes]:
    """Kannel percent-encodes bytes of whatever charset, so only bytes are decoded here."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    fields = {name: unquote_to_bytes(value.replace("+", " ")) for name, _, value in pairs}
    if not hmac.compare_digest(fields.get("token", b""), token(secret).encode()):
        raise Unsigned("wrong or no token")
    return fields
