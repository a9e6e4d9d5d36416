"""What others send us, made up by libFuzzer towards lines that have not run yet.

    .venv/bin/python tests/fuzz/guided.py audiosocket -atheris_runs=100000

Whoever reads may refuse with the errors that its docstring names; anything else ends the run with
the input that led to it in a file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote
from uuid import uuid4

import atheris

with atheris.instrument_imports(include=["ivr.telephony", "ivr.outreach.sms"]):
    from ivr.outreach.sms import http_gateway, kannel
    from ivr.outreach.sms.gateway import BadWebhook
    from ivr.telephony import audiosocket
from store.messages import Report

SECRET = "a secret"


def frames(data: bytes) -> None:
    """A stream of AudioSocket."""

    async def read() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        with suppress(audiosocket.FrameError):
            while (frame := await audiosocket.read_frame(reader)) is not None:
                assert isinstance(frame, audiosocket.Frame)

    asyncio.run(read())


def webhook(data: bytes) -> None:
    """The body of a gateway's webhook: nearly right, or anything."""
    made = atheris.FuzzedDataProvider(data)
    values = [made.ConsumeUnicodeNoSurrogates(40), made.ConsumeInt(4), None, [], {}, str(uuid4())]
    types = [http_gateway.RECEIVED, http_gateway.REPORTED, *values]
    names = ("id", "from", "text", "reference", "status", "detail")
    values += list(Report)
    fields = {name: made.PickValueInList(values) for name in names if made.ConsumeBool()}
    near = {"type": made.PickValueInList(types), "data": made.PickValueInList([fields, *values])}
    for body in (json.dumps(near).encode(), made.ConsumeBytes(400)):
        with suppress(BadWebhook):
            http_gateway.read_webhook(body)


def query(data: bytes) -> None:
    """What Kannel asks of us, with its token."""
    made = atheris.FuzzedDataProvider(data)
    charsets = [b"UTF-8", b"UTF-16BE", b"utf-7", b"hex", b"idna", made.ConsumeBytes(12)]
    fields = {
        "token": kannel.token(SECRET).encode(),
        "charset": made.PickValueInList(charsets),
        "status": str(made.ConsumeInt(2)).encode(),
        "reference": str(uuid4()).encode(),
    }
    for name in ("id", "from", "text", "answer", "status", "reference", "token"):
        if made.ConsumeBool():
            fields[name] = made.ConsumeBytes(60)
    near = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    for asked in (near, made.ConsumeBytes(400).decode("latin-1")):
        for read in (kannel.read_incoming, kannel.read_report):
            with suppress(BadWebhook):
                read(asked, SECRET)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "audiosocket": frames,
    "webhook": webhook,
    "kannel": query,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
