"""Work done in a process of its own, beside the one that sends and hears frames.

Python lets one thread of a process compute at a time, and a call's frames cannot wait: with 30
calls their thread lets go of the interpreter some five thousand times a second, and gets it back
late each time if another thread computes. So what computes for long, recognition and understanding,
is done apart, and yields the processor to the frames.

The process builds what it works with and then answers one request after the other. It ends when
the process that asks it does, however that ends: nobody is at the other end any more. One that
dies, or does not answer, is replaced.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

import structlog

NICER = 1
"""Steps of priority below the process with the frames. More would cost callers of a saturated
machine seconds, and frames are small work that comes in time with this too."""
BEHIND_CALLS = 3
"""The same for the site's other processes: nobody on the line waits for what they do."""
BUILD_S = 90.0
"""On a busy machine; a model and the grammars take some five seconds."""

Request = TypeVar("Request")
Answer = TypeVar("Answer")

log = structlog.get_logger()


class ApartError(Exception):
    """The work failed, or its process did; a later request may be answered."""


class Apart(Generic[Request, Answer]):
    """One such process. Any thread may ask; one request is worked on at a time."""

    def __init__(self, build: Callable[..., Callable[[Request], Answer]], *arguments: Any) -> None:
        """build: a function of a module, called over there with the arguments; what it returns
        answers requests. Arguments, requests and answers must be picklable. Does not wait."""
        self._build = (build, arguments)
        self._lock = threading.Lock()
        self._begin()

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        """Until it is built. Raises ApartError saying why it cannot be."""
        with self._lock:
            self._wait()

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """Blocks until it is answered. Raises ApartError."""
        with self._lock:
            self._wait()
            return self._answer_to(request, timeout_s)

    def close(self) -> None:
        """Ends it, whatever it is at."""
        self._there.close()
        self._process.kill()
        self._process.wait()

    def _begin(self) -> None:
        here, there = socket.socketpair()
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ivr.apart", str(there.fileno())],
                pass_fds=[there.fileno()],
            )
        self._there = Connection(here.detach())
        self._built = False
        try:
            self._there.send(self._build)
        except OSError:  # it is dead already, which whoever waits for it is told
            return

    def _wait(self) -> None:
        if self._process.poll() is not None:
            self._replace()
        if not self._built:
            self._received(BUILD_S)
            self._built = True

    def _answer_to(self, request: Request, timeout_s: float) -> Answer:
        try:
            self._there.send(request)
        except OSError as error:
            self._replace()
            raise ApartError("the process that does it has died") from error
        answer: Answer = self._received(timeout_s)
        return answer

    def _received(self, timeout_s: float) -> Any:
        try:
            if not self._there.poll(timeout_s):
                self._replace()
                raise ApartError(f"no answer in {timeout_s:g} s")
            failure, answer = self._there.recv()
        except (OSError, EOFError) as error:
            self._replace()
            raise ApartError("the process that does it has died") from error
        if failure:
            raise ApartError(failure)
        return answer

    def _replace(self) -> None:
        log.warning("a process is replaced", does=self._build[0].__module__, pid=self.pid)
        self.close()
        self._begin()


def work(asking: Connection) -> None:
    """Answers whoever is at the other end until nobody is."""
    try:
        build, arguments = asking.recv()
        answer_to = _told(asking, build, *arguments)
        while answer_to is not None:
            _told(asking, answer_to, asking.recv())
    except (EOFError, OSError):
        return


def _told(asking: Connection, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives, the other end being told of it; None if it fails."""
    failure, result = "", None
    try:
        result = function(*arguments)
    except Exception as error:  # whatever it is, whoever asked has to know
        failure = str(error) or type(error).__name__
    asking.send((failure, None if callable(result) else result))
    return result


def main() -> None:
    # Ctrl-C and systemd tell all processes of a site; calls go on for a while then
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICER)
    work(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
