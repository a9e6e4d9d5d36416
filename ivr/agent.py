"""The agent's process: `python -m ivr.agent`. Loads everything, then answers calls until told.

SIGTERM and SIGINT: no new calls, whose callers go to the operators' queue; those in progress end by
themselves, and after agent.drain_s seconds, or when told a second time, a human takes them over.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web

from audio.recogniser import RecogniserError
from audio.synthesiser import SynthesiserError
from audio.vad import SileroVad
from ivr import monitoring, systemd
from ivr.apart import ApartError
from ivr.calls import metrics
from ivr.calls.call import Site, answer_call
from ivr.calls.overheard import overhear
from ivr.calls.recognition import Recognition
from ivr.calls.speech import FILLER, SpeechMaker, VoiceApart
from ivr.catalog import CatalogError, load_catalog, services
from ivr.config import ROOT, ConfigError, Settings, load_settings
from ivr.dialogue.pieces import fixed_pieces
from ivr.dialogue.prompts import PromptError, load_prompts
from ivr.engine import RecogniserApart
from ivr.logs import set_up_logs
from ivr.telephony import audiosocket, overflow
from ivr.telephony.admission import Admission, Admit
from ivr.telephony.audiosocket import Line
from ivr.telephony.capacity import Capacity
from ivr.telephony.http import Overflow, make_app
from ivr.telephony.wishes import Wishes
from ivr.understander import Understander
from ivr.understanding.grammar import Grammar, GrammarError, load
from store.calls import close_unfinished
from store.database import Store, StoreError, open_store
from store.services import sync

STORE_S = 1.0
"""The dialplan asks who a caller is and where to put them, and waits 2 s for the answer."""
HANDED_OVER_S = 1.5
"""In this time the dialplan has asked where the calls go that we let go of at last."""
SWITCH_S = 0.001
"""How long a thread that computes keeps the interpreter from the one that sends and hears frames,
which lets go of it thousands of times a second; Python's 5 ms would cost it that each time."""

log = structlog.get_logger()


class AgentError(Exception):
    """The agent cannot start; one line that says why and what to do."""


def load_site(settings: Settings) -> tuple[Site, list[str]]:
    """Everything a call needs, and the texts that the agent says; takes seconds.

    Raises AgentError.
    """
    try:
        understander = Understander(settings.learned)  # loads while we do
        catalog, prompts = load_catalog(), load_prompts()
        grammar = load(ROOT / "grammars")
        chosen = settings.recogniser
        listening: list[Recognition] = []
        capacity = Capacity(
            settings.agent.max_calls,
            settings.agent.slow_ms / 1000,
            time.monotonic,
            lambda: max(one.waiting_s for one in listening),
        )
        recognition = Recognition(RecogniserApart(chosen, settings), on_delay=capacity.heard)
        own = dialect_recognition(settings, grammar, capacity)
        listening += [recognition, *own.values()]
        SileroVad()  # its model is shared by all calls; the first one does not wait for it
        store = open_store(settings.database)
        sync(store, services(catalog))
        closed = close_unfinished(store, datetime.now(UTC))
        if closed:
            log.warning("calls left open by an agent that died", calls=closed)
        understander.wait()
    except (
        ApartError,
        CatalogError,
        PromptError,
        GrammarError,
        RecogniserError,
        StoreError,
    ) as error:
        raise AgentError(str(error)) from error
    site = Site(
        settings=settings,
        store=store,
        admission=Admission(capacity, time.monotonic),
        recognition=recognition,
        speech=SpeechMaker(VoiceApart(settings), settings.synthesiser.speed),
        make_vad=SileroVad,
        understand=understander,
        frames=frozenset(f for dialect in grammar.dialects.values() for f in dialect.frames),
        catalog=catalog,
        prompts=prompts,
        dialect_recognition=own,
    )
    return site, [FILLER.text, *fixed_pieces(catalog, prompts)]


def overflow_of(settings: Settings, store: Store) -> Overflow:
    """What the store knows of those whom the agent has no place for. Where it does not answer in
    time they wait for an operator like everyone else."""

    turnstile = overflow.Turnstile(store, settings.queue, settings.outbound)
    turn = asyncio.Lock()  # who waits for their turn keeps no thread from the calls that there are

    async def priority(caller: str) -> int:
        try:
            async with asyncio.timeout(STORE_S):
                return await asyncio.to_thread(overflow.priority, store, caller)
        except (StoreError, TimeoutError) as error:
            log.error("the queue does not know who it is", error=str(error))
            return overflow.ORDINARY

    async def turn_away(call: UUID, caller: str) -> Admit:
        now = datetime.now(UTC)
        try:
            async with asyncio.timeout(STORE_S), turn:
                return await asyncio.to_thread(turnstile.turn_away, call, caller, now)
        except (StoreError, TimeoutError) as error:
            log.error("no call-back can be written down", error=str(error))
            return Admit.QUEUE

    return Overflow(priority, turn_away)


def dialect_recognition(
    settings: Settings, grammar: Grammar, capacity: Capacity
) -> dict[str, Recognition]:
    """An engine for each dialect that the settings name one for; some may have one in common.

    One without a usable model is left out, and the default hears its callers. Raises AgentError
    for a dialect not known.
    """
    found: dict[str, Recognition] = {}
    for dialect, chosen in settings.recogniser.dialects.items():
        if dialect not in grammar.dialects:
            known = ", ".join(grammar.dialects)
            raise AgentError(f"recogniser.dialects.{dialect}: no such dialect; known: {known}")
        alike = (d for d in found if settings.recogniser.dialects[d] == chosen)
        if same := next(alike, None):
            found[dialect] = found[same]
            continue
        try:
            engine = RecogniserApart(chosen, settings)
        except RecogniserError as error:
            log.error("a dialect's engine is missing", dialect=dialect, error=str(error))
            continue
        late_s = settings.recogniser.late_ms / 1000
        found[dialect] = Recognition(engine, late_s, on_delay=capacity.heard)
    return found


async def serve(settings: Settings, site: Site, texts: list[str]) -> None:
    """Answers calls until SIGTERM or SIGINT. Raises AgentError when a port is taken."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def told_to_stop() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)

    async def missing() -> list[str]:
        reasons = [] if site.admission.open else ["shutting down"]
        if site.recognition.stuck:
            reasons.append("the recogniser does not answer: restart the agent")
        unwritable = await asyncio.to_thread(monitoring.unwritable, site.store)
        return [*reasons, unwritable] if unwritable else reasons

    wishes = Wishes(time.monotonic)

    async def carry(line: Line) -> None:
        if line.uuid in wishes:
            await overhear(site, line, wishes)
        else:
            await answer_call(site, line)

    recognitions = {site.recognition, *site.dialect_recognition.values()}
    for recognition in recognitions:
        recognition.start()
    site.speech.start()
    metrics.LIMIT.set_function(lambda: site.admission.limit)
    metrics.WAITING.set_function(lambda: max(one.waiting_s for one in recognitions))
    watching = asyncio.create_task(monitoring.watch_loop(), name="event loop's delay")
    loaded = await asyncio.to_thread(site.speech.load, texts)
    log.info("voice", pieces=loaded, missing=len(texts) - loaded)
    own = settings.agent
    runner = web.AppRunner(
        make_app(
            site.admission,
            overflow_of(settings, site.store),
            wishes,
            settings.secrets.http,
            missing,
        ),
        access_log=None,
        shutdown_timeout=2.0,
    )
    await runner.setup()
    try:
        calls = await audiosocket.serve(
            own.host,
            own.audiosocket_port,
            carry,
            lambda uuid: wishes.arrive(uuid) or site.admission.arrive(uuid),
        )
        await web.TCPSite(runner, own.host, own.http_port).start()
    except OSError as error:
        raise AgentError(f"cannot listen: {error.strerror or error}") from error
    log.info("ready", audiosocket=own.audiosocket_port, http=own.http_port, calls=own.max_calls)
    systemd.tell(systemd.READY)
    await stop.wait()
    systemd.tell(systemd.STOPPING)
    site.admission.open = False
    log.info("stopping", calls=site.admission.present, at_most_s=own.drain_s)
    await _first_of(site.admission.drained(), hurry.wait(), timeout_s=own.drain_s)
    await calls.close()
    await _first_of(site.admission.drained(), timeout_s=HANDED_OVER_S)
    await runner.cleanup()
    await site.speech.close()
    for recognition in recognitions:
        await recognition.close()
    await asyncio.to_thread(site.store.close)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    log.info("stopped")


async def _first_of(*happens: Coroutine[Any, Any, Any], timeout_s: float) -> None:
    """Waits for one of them, for so long at most."""
    tasks = {asyncio.create_task(one) for one in happens}
    await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> int:
    try:
        settings = load_settings()
        set_up_logs(settings.log_level, settings.log_format)
        sys.setswitchinterval(SWITCH_S)
        site, texts = load_site(settings)
        asyncio.run(serve(settings, site, texts))
    except (AgentError, ConfigError, SynthesiserError) as error:
        print(f"yihu agent: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
