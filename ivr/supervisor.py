"""Brings a site up and keeps it up: what is missing is set up, then Asterisk and our processes run.

One supervisor a site, held by a lock on a file: a lock cannot outlive its process, so a stale
process id is never believed. Children that an ended supervisor left behind are known by process id
and start time, and are ended before new ones start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, NoReturn

import aiohttp
import structlog

from audio import models
from audio.files import whole
from audio.synthesiser import SynthesiserError
from ivr.calls.speech import open_cache, warm
from ivr.catalog import CatalogError
from ivr.config import Settings, config_file, load_settings
from ivr.dialogue.prompts import PromptError
from ivr.telephony import pbx
from ivr.telephony.ami import Ami
from ivr.telephony.probe import answers
from ivr.telephony.sounds import write_music, write_sentences
from store import operators
from store.database import StoreError, open_store
from store.models import Operator

READY_SECONDS = 180.0
"""Loading the models takes a few seconds; a machine that swaps takes much longer."""
STOP_SECONDS = 10.0
BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MOST_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A child that ran this long is restarted at once when it dies."""
FAILED_STARTS = 3
"""So many deaths before the first readiness mean that it will not start at all."""
LOG_BYTES = 20_000_000
"""A log this long is put aside (one old one is kept) when its process starts."""

FROZEN_SECONDS = 10.0
"""A process that has not answered for so long is ended: whoever talks to a frozen agent hears
nothing, and Asterisk goes on to an operator only when the connection is closed. Longer than
anything that one of them does without looking up, also on a machine that is overloaded."""
LOOK_SECONDS = 1.0
PROGRESS_SECONDS = 10.0
"""A long step says how far it is this often."""

Report = Callable[[str], None]
log = structlog.get_logger()


class SetupError(Exception):
    """The site cannot be brought up; one line that says why and what to do."""


class AlreadyUp(Exception):
    """Another supervisor has this site; `state` is what it last wrote down."""

    def __init__(self, state: State) -> None:
        super().__init__(f"process {state.pid}")
        self.state = state


@dataclass(slots=True)
class State:
    """What run/state.json says; written by whoever holds the lock."""

    pid: int = 0
    ready: bool = False
    children: dict[str, dict[str, int]] = field(default_factory=dict)
    """By name: process id, and its start in clock ticks, which tells it from a later namesake."""


def read_state(settings: Settings) -> State:
    try:
        return State(**json.loads((settings.run_dir / "state.json").read_text()))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError):  # cut short by a full disk: nothing to learn from it
        return State()


def write_state(settings: Settings, state: State) -> None:
    with whole(settings.run_dir / "state.json") as file:
        file.write(json.dumps(asdict(state)).encode())


def take_lock(settings: Settings) -> IO[str]:
    """The site's lock, held until the file is closed everywhere. Raises AlreadyUp, SetupError."""
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        lock = (settings.run_dir / "lock").open("w")
    except OSError as error:
        raise SetupError(f"{error.filename}: {error.strerror} (setting data_dir)") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise AlreadyUp(read_state(settings)) from None
    return lock


# --- setting up ---


def set_up(settings: Settings, report: Report) -> pbx.Place:
    """Everything that a start needs; what is there already is left alone. Call with the lock held.

    Raises SetupError.
    """
    try:
        end_leftovers(settings)
        write_state(settings, State(pid=os.getpid()))
        check_ports(settings)
        _ = settings.secrets  # made now, so that everyone reads the same
        place = install_asterisk(settings, report)
        install_models(settings, report)
        report("database")
        telephones = known_operators(settings)
        report("the dialplan's sounds")
        write_sounds(settings, place)
        pbx.prepare(settings, place, telephones)
        speak_prompts(settings, report)
    except (
        pbx.PbxError,
        models.ModelError,
        SynthesiserError,
        StoreError,
        CatalogError,
        PromptError,
    ) as error:
        raise SetupError(str(error)) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SetupError(
                f"the disk is full ({error.filename or settings.data_dir}): make room, run again"
            ) from error
        raise SetupError(f"{error.filename or settings.data_dir}: {error.strerror}") from error
    return place


def known_operators(settings: Settings) -> list[Operator]:
    """Operators who have a telephone, from the store, which is made where there is none.

    Raises StoreError.
    """
    store = open_store(settings.database)
    try:
        return [one for one in operators.everyone(store) if one.active]
    finally:
        store.close()


def install_asterisk(settings: Settings, report: Report) -> pbx.Place:
    place = pbx.find_place(settings)
    if place is None:
        report("Asterisk")
        done = subprocess.run(
            ["sh", str(pbx.INSTALLER), str(pbx.root_dir(settings))], stdout=sys.stderr
        )
        place = pbx.find_place(settings)
        if done.returncode or place is None:
            raise SetupError("Asterisk could not be installed: the lines above say why")
    if place.root and os.geteuid() != 0:
        raise SetupError(
            f"Asterisk in {place.root} can only be run by root: use sudo, "
            f"or install Asterisk {pbx.OLDEST} or newer on the machine itself"
        )
    return place


def install_models(settings: Settings, report: Report) -> None:
    """Weights that the chosen engines need and that are not here and whole.

    A dialect's that cannot be had are done without: the default engine hears its callers.
    """
    names = [settings.recogniser.model]
    if settings.synthesiser.engine == "kokoro":
        names.append("kokoro")
    for name in names:
        _install_model(name, settings, report)
    for name in settings.recogniser.dialect_models:
        try:
            _install_model(name, settings, report)
        except models.ModelError as error:
            report(f"without the model {name}, for a dialect: {error}")


def _install_model(name: str, settings: Settings, report: Report) -> None:
    try:
        models.require(name, settings.models)
    except models.ModelError:
        if os.sep in name:
            raise  # a folder that the settings name: theirs to provide
        report(f"model {name}")
        models.install(name, settings.models, report=lambda line: report(f"  {line}"))


def write_sounds(settings: Settings, place: pbx.Place) -> None:
    """What the dialplan plays: music, and its own sentences in the site's voice.

    Raises SynthesiserError.
    """
    folder = place.host(place.sounds)
    (folder / "hold").mkdir(parents=True, exist_ok=True)
    write_music(folder / "hold" / "hold.wav")
    cache = open_cache(settings)
    speed = settings.synthesiser.speed
    write_sentences(folder, lambda text: cache.make(text, speed=speed))


def speak_prompts(settings: Settings, report: Report) -> None:
    """What the agent says, spoken once into the cache: minutes the first time."""

    told = time.monotonic()

    def progress(done: int, of: int, last: str) -> None:
        nonlocal told
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            report(f"  {done} of {of} prompts")

    report("prompts in the site's voice (some minutes the first time)")
    failed = warm(settings, progress)
    if failed:
        raise SetupError(
            f"the voice cannot say {len(failed)} prompts, such as {failed[0]!r}: "
            "see the warnings above, or choose another with synthesiser.engine"
        )


def check_ports(settings: Settings) -> None:
    """Raises SetupError naming the first port that another process has, and its setting."""
    sip, agent, console = settings.sip, settings.agent, settings.console
    udp, tcp = socket.SOCK_DGRAM, socket.SOCK_STREAM
    for kind, host, port, setting, use in (
        (udp, sip.host, sip.port, "sip.port", "SIP"),
        (udp, sip.host, sip.port + 1, "sip.port", "SIP of simulated calls, one above sip.port"),
        (tcp, "127.0.0.1", settings.asterisk.ami_port, "asterisk.ami_port", "Asterisk's manager"),
        (tcp, agent.host, agent.audiosocket_port, "agent.audiosocket_port", "AudioSocket"),
        (tcp, agent.host, agent.http_port, "agent.http_port", "the agent's HTTP"),
        (tcp, console.host, console.port, "console.port", "the operators' pages"),
    ):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == tcp:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                variable = f"YIHU_{setting.replace('.', '__').upper()}"
                raise SetupError(
                    f"{host} port {port} ({use}) cannot be used: {error.strerror}. End what has "
                    f"it, or set {setting} in {config_file()} (or {variable})"
                ) from error


# --- running ---


@dataclass(slots=True)
class Child:
    name: str
    command: list[str]
    env: dict[str, str]
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0


class Supervisor:
    """Runs the children until told to stop. Call with the lock held."""

    def __init__(self, settings: Settings, place: pbx.Place) -> None:
        self._settings = settings
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
        self._children = [
            Child("asterisk", place.command(), environment),
            Child("agent", [sys.executable, "-m", "ivr.agent"], dict(os.environ)),
            Child("outreach", [sys.executable, "-m", "ivr.outreach"], dict(os.environ)),
            Child("console", [sys.executable, "-m", "ivr.console"], dict(os.environ)),
        ]
        self._place = place
        self._state = State(pid=os.getpid())
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        """Told to stop a second time: calls are not waited for."""

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Returns after SIGTERM or SIGINT. Raises SetupError if it never becomes ready."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_stop)
        write_state(self._settings, self._state)
        keepers = [asyncio.create_task(self._keep(child)) for child in self._children]
        stop = asyncio.create_task(self._stop.wait())
        ready = asyncio.create_task(wait_all_ready(self._settings))
        try:
            await asyncio.wait(
                [ready, stop, *keepers],
                timeout=READY_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for keeper in keepers:
                if keeper.done():
                    keeper.result()  # raises why it gave up
            if not stop.done():
                if not ready.done():
                    raise SetupError(
                        f"not ready after {READY_SECONDS:.0f} s: see the logs in "
                        f"{self._settings.run_dir}"
                    )
                ready.result()
                self._state.ready = True
                write_state(self._settings, self._state)
                on_ready()
                keepers += [asyncio.create_task(self._watch(child)) for child in self._children[1:]]
                await asyncio.wait([stop, *keepers], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ready, stop, *keepers):
                task.cancel()
            await asyncio.gather(ready, stop, *keepers, return_exceptions=True)
            await self._end_all()
            write_state(self._settings, State())

    def _told_to_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def _keep(self, child: Child) -> None:
        """Starts a child again whenever it ends."""
        while True:
            started = time.monotonic()
            with _open_log(self._settings.run_dir / f"{child.name}.log") as out:
                child.process = await asyncio.create_subprocess_exec(
                    *child.command,
                    env=child.env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,  # Ctrl-C is ours alone: we end them in order
                    umask=0o077,  # what they write of people is for nobody else
                )
            self._state.children[child.name] = {
                "pid": child.process.pid,
                "start": start_ticks(child.process.pid) or 0,
            }
            write_state(self._settings, self._state)
            status = await child.process.wait()
            steady = time.monotonic() - started > STEADY_SECONDS
            child.deaths = 0 if steady else child.deaths + 1
            if not self._state.ready and child.deaths >= FAILED_STARTS:
                raise SetupError(
                    f"{child.name} does not start: {last_line(self._settings, child.name)}"
                )
            delay = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(child.deaths, 8))
            delay = 0.0 if child.deaths <= 1 else delay * random.uniform(0.5, 1.0)
            log.error("ended", process=child.name, status=status, again_in_s=round(delay, 1))
            await asyncio.sleep(delay)

    async def _watch(self, child: Child) -> NoReturn:
        """Ends a process of ours that is there, has answered before, and does not any more."""
        url = f"{monitored_at(self._settings)[child.name]}/healthz"
        seen, answered_at = child.process, 0.0
        limit = aiohttp.ClientTimeout(total=FROZEN_SECONDS / 2)
        async with aiohttp.ClientSession(timeout=limit) as session:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if child.process is not seen:  # a new one, which takes its time to load
                    seen, answered_at = child.process, 0.0
                try:
                    async with session.get(url):
                        answered_at = time.monotonic()
                except (aiohttp.ClientError, TimeoutError):
                    silent_s = time.monotonic() - answered_at
                    if seen and answered_at and silent_s > FROZEN_SECONDS and child.process is seen:
                        log.error(
                            "frozen, is ended", process=child.name, silent_s=round(silent_s, 1)
                        )
                        answered_at = 0.0
                        with contextlib.suppress(ProcessLookupError):
                            seen.kill()

    async def _end_all(self) -> None:
        """The agent first, which ends when its calls have, then Asterisk when those have that are
        with operators or wait for one. These need the other processes until then."""
        deadline = time.monotonic() + self._settings.agent.drain_s
        asterisk, agent, *others = self._children
        await self._end(agent, deadline)
        if self._state.ready and not self._hurry.is_set():
            await self._ask_asterisk_to_stop()
            await self._ended(asterisk, deadline)
        for child in (asterisk, *others):
            await self._end(child, time.monotonic())

    async def _ask_asterisk_to_stop(self) -> None:
        """It takes no more calls and ends with the last."""
        with contextlib.suppress(OSError, TimeoutError):  # it is ended by a signal afterwards
            asking = await asyncio.create_subprocess_exec(
                *self._place.command("-rx", "core stop gracefully"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await asking.wait()
            finally:
                if asking.returncode is None:
                    asking.kill()
                    await asking.wait()

    async def _end(self, child: Child, deadline: float) -> None:
        """It gets until then to end, and some seconds more after it was told a second time."""
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            if deadline > time.monotonic():
                await self._ended(child, deadline)
                process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.error("had to be killed", process=child.name)
            process.kill()
            await process.wait()

    async def _ended(self, child: Child, deadline: float) -> None:
        """Waits until it has ended, at the longest until then or until we are to hurry."""
        if child.process is None or child.process.returncode is not None:
            return
        ended = asyncio.create_task(child.process.wait())
        hurry = asyncio.create_task(self._hurry.wait())
        left_s = max(0.0, deadline - time.monotonic())
        await asyncio.wait({ended, hurry}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, hurry):
            task.cancel()
        await asyncio.gather(ended, hurry, return_exceptions=True)


def _open_log(path: Path) -> IO[bytes]:
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.old"))
    return path.open("ab")


def monitored_at(settings: Settings) -> dict[str, str]:
    """By process: where its /healthz, /readyz and /metrics are."""
    agent, own = settings.agent, settings.monitoring
    return {
        "agent": f"http://{pbx.loopback(agent.host)}:{agent.http_port}",
        "outreach": f"http://{pbx.loopback(own.host)}:{own.outreach_port}",
        "console": f"http://{pbx.loopback(own.host)}:{own.console_port}",
    }


def last_line(settings: Settings, name: str) -> str:
    """The end of a child's log, for the person who has to do something about it."""
    path = settings.run_dir / f"{name}.log"
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return f"{lines[-1] if lines else 'it said nothing'} (all of it: {path})"


async def wait_ready(settings: Settings) -> None:
    """Returns when a call can be taken: Asterisk booted, SIP answering, the agent ready."""
    manager = Ami("127.0.0.1", settings.asterisk.ami_port, pbx.AMI_USER, settings.secrets.ami)
    with manager.events("FullyBooted") as booted:
        async with manager:
            await anext(booted)
    while True:
        if await asyncio.to_thread(sip_answers, pbx.loopback(settings.sip.host), settings):
            break
        await asyncio.sleep(0.2)
    await _answers(f"{monitored_at(settings)['agent']}/readyz")


async def wait_all_ready(settings: Settings) -> None:
    """Returns when a call can be taken and operators can log in."""
    await wait_ready(settings)
    await _answers(f"{settings.console.url}/readyz")


async def _answers(url: str) -> None:
    """Returns when one of our own processes says that it is ready."""
    limit = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(timeout=limit) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                # its certificate is for the name that browsers use, not for this machine's own
                async with session.get(url, ssl=False) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.2)


def sip_answers(host: str, settings: Settings) -> bool:
    """Whether Asterisk can be called. Blocking."""
    return answers(host, settings.sip.port)


# --- ending ---


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since the machine did; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def end_leftovers(settings: Settings) -> None:
    """Ends children of a supervisor that was killed. Call with the lock held."""
    for name, child in read_state(settings).children.items():
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_SECONDS
            while time.monotonic() < deadline and start_ticks(child["pid"]) == child["start"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child["pid"], number)
                time.sleep(0.1)
        log.info("ended what an earlier run left", process=name)


def bring_down(settings: Settings, now: bool = False) -> bool:
    """Stops the site and waits until it has stopped; False if it was not up. Raises SetupError.

    now: calls are not waited for.
    """
    pid = 0
    drain_s = 0 if now else settings.agent.drain_s
    deadline = time.monotonic() + drain_s + 4 * STOP_SECONDS
    while True:
        try:
            with take_lock(settings):
                end_leftovers(settings)
                write_state(settings, State())
            return pid != 0
        except AlreadyUp as up:
            late = time.monotonic() > deadline
            if up.state.pid and (late or now or up.state.pid != pid):  # 0: it has just begun
                pid = up.state.pid
                try:
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
                except ProcessLookupError:
                    pass  # it ended by itself, or the lock has just changed hands
                except PermissionError as error:
                    raise SetupError(f"process {pid} is not yours to stop: use sudo") from error
        time.sleep(0.1)


# --- in the background ---


def start_detached(settings: Settings, lock: IO[str]) -> None:
    """Starts a supervisor that outlives us, hands it our lock, and returns once it is ready.

    Raises SetupError with its reason if it gives up.
    """
    read_end, write_end = os.pipe()
    with _open_log(settings.run_dir / "supervisor.log") as out:
        subprocess.Popen(
            [sys.executable, "-m", "ivr.supervisor", str(write_end)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            pass_fds=(write_end, lock.fileno()),
            start_new_session=True,
        )
    os.close(write_end)
    with os.fdopen(read_end) as told:
        word, _, reason = told.read().partition(" ")
    if word != "ready":
        raise SetupError(reason or last_line(settings, "supervisor"))


def main() -> None:
    """The detached supervisor: says `ready` or `failed REASON` on the file it was given."""
    parser = argparse.ArgumentParser()
    parser.add_argument("told", type=int)
    settings = load_settings()
    place = pbx.find_place(settings)
    with os.fdopen(parser.parse_args().told, "w") as told:

        def say(words: str) -> None:
            with contextlib.suppress(BrokenPipeError):  # whoever waited has gone
                told.write(words)
                told.close()

        try:
            if place is None:
                raise SetupError("Asterisk has gone")
            asyncio.run(Supervisor(settings, place).run(lambda: say("ready")))
        except SetupError as error:
            say(f"failed {error}")
            sys.exit(1)


if __name__ == "__main__":
    main()
