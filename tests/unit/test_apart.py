"""Work in a process of its own: what becomes of it when that process, or the asking one, fails."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ivr.apart import Apart, ApartError

PATIENCE_S = 60.0
"""With a machine that is busy with other things."""


@contextlib.contextmanager
def apart(build: Any, *arguments: Any) -> Iterator[Apart[Any, Any]]:
    process: Apart[Any, Any] = Apart(build, *arguments)
    try:
        yield process
    finally:
        process.close()


def test_requests_are_answered_one_after_the_other_whoever_asks() -> None:
    with apart(operator.itemgetter, 0) as first:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda n=n: answers.append(first.ask([n, 7], PATIENCE_S)))
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == list(range(20))


def test_work_is_not_done_in_the_process_that_asks() -> None:
    with apart(functools.partial, os.getpriority, os.PRIO_PROCESS) as priority:
        theirs = priority.ask(0, PATIENCE_S)
        assert theirs > os.getpriority(os.PRIO_PROCESS, 0)


def test_request_that_fails_says_why_and_the_next_one_is_answered() -> None:
    with apart(operator.itemgetter, 0) as first:
        with pytest.raises(ApartError, match="list index out of range"):
            first.ask([], PATIENCE_S)
        assert first.ask([1], PATIENCE_S) == 1


def test_what_cannot_be_built_says_why() -> None:
    with (
        apart(operator.itemgetter) as nothing,
        pytest.raises(ApartError, match="expected 1 argument"),
    ):
        nothing.wait()


def test_process_that_has_died_is_replaced() -> None:
    with apart(operator.itemgetter, 0) as first:
        first.wait()
        dead = first.pid
        os.kill(dead, signal.SIGKILL)
        with contextlib.suppress(ApartError):  # if it was not known yet to be dead
            first.ask([1], PATIENCE_S)
        assert first.ask([2], PATIENCE_S) == 2
        assert first.pid != dead


def test_process_that_does_not_answer_is_replaced() -> None:
    with apart(functools.partial, time.sleep) as sleeper:
        sleeper.wait()
        hung = sleeper.pid
        with pytest.raises(ApartError, match=r"no answer in 0\.2 s"):
            sleeper.ask(1000, 0.2)
        assert sleeper.ask(0, PATIENCE_S) is None
        assert sleeper.pid != hung


def test_process_ends_with_the_one_that_asks_however_that_ends() -> None:
    asking = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import operator, time; from ivr.apart import Apart\n"
            "first = Apart(operator.itemgetter, 0); first.wait()\n"
            "print(first.pid, flush=True); time.sleep(1000)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert asking.stdout is not None
    with asking, asking.stdout:
        left = os.pidfd_open(int(asking.stdout.readline()))
        try:
            asking.kill()
            ended, _, _ = select.select([left], [], [], PATIENCE_S)
            assert ended
        finally:
            os.close(left)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_calls_go_on_while_all_processes_are_told_to_stop(number: signal.Signals) -> None:
    with apart(operator.itemgetter, 0) as first:
        first.wait()
        os.kill(first.pid, number)
        assert first.ask([1], PATIENCE_S) == 1
