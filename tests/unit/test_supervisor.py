"""What the supervisor does without Asterisk; bringing a whole site up is in tests/telephony."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr import supervisor
from ivr.config import AgentSettings, AsteriskSettings, ConsoleSettings, Settings, SipSettings
from ivr.supervisor import AlreadyUp, SetupError, State


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def remember(settings: Settings, process: subprocess.Popen[bytes], start: int | None) -> None:
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    child = {"pid": process.pid, "start": start or 0}
    supervisor.write_state(settings, State(pid=1, ready=True, children={"agent": child}))


def test_second_start_learns_that_the_site_is_up(settings: Settings) -> None:
    with supervisor.take_lock(settings):
        supervisor.write_state(settings, State(pid=os.getpid(), ready=True))
        with pytest.raises(AlreadyUp) as raised:
            supervisor.take_lock(settings)
        assert raised.value.state.ready
    supervisor.take_lock(settings).close()


def test_state_file_of_a_killed_supervisor_is_not_believed(settings: Settings) -> None:
    settings.run_dir.mkdir(parents=True)
    supervisor.write_state(settings, State(pid=os.getpid(), ready=True))
    assert supervisor.bring_down(settings) is False
    assert supervisor.read_state(settings) == State()


def test_state_file_cut_short_is_no_obstacle(settings: Settings) -> None:
    settings.run_dir.mkdir(parents=True)
    (settings.run_dir / "state.json").write_text('{"pid": 1')
    assert supervisor.bring_down(settings) is False


def test_children_of_a_killed_supervisor_are_ended(
    settings: Settings, sleeper: subprocess.Popen[bytes]
) -> None:
    remember(settings, sleeper, supervisor.start_ticks(sleeper.pid))
    supervisor.bring_down(settings)
    assert sleeper.wait(5) == -signal.SIGTERM


def test_process_that_only_inherited_the_number_is_left_alone(
    settings: Settings, sleeper: subprocess.Popen[bytes]
) -> None:
    remember(settings, sleeper, (supervisor.start_ticks(sleeper.pid) or 0) - 1)
    supervisor.bring_down(settings)
    assert sleeper.poll() is None


def _hold(settings: Settings, ready: multiprocessing.synchronize.Event) -> None:
    with supervisor.take_lock(settings):
        supervisor.write_state(settings, State(pid=os.getpid(), ready=True))
        ready.set()
        signal.pause()


def test_down_waits_until_the_site_has_stopped(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(settings, ready))
    holder.start()
    assert ready.wait(30)
    assert supervisor.bring_down(settings) is True
    supervisor.take_lock(settings).close()
    holder.join(5)
    assert holder.exitcode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        (socket.SOCK_DGRAM, "sip.port"),
        (socket.SOCK_STREAM, "asterisk.ami_port"),
        (socket.SOCK_STREAM, "agent.http_port"),
        (socket.SOCK_STREAM, "agent.audiosocket_port"),
        (socket.SOCK_STREAM, "console.port"),
    ],
)
def test_port_in_use_is_named_with_the_setting_to_change(
    tmp_path: Path, kind: socket.SocketKind, setting: str
) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        taken = other.getsockname()[1]

        def port(name: str) -> int:
            return taken if name == setting else 0  # 0: any free one

        chosen = Settings(
            data_dir=tmp_path,
            sip=SipSettings(port=port("sip.port")),
            asterisk=AsteriskSettings(ami_port=port("asterisk.ami_port")),
            agent=AgentSettings(
                http_port=port("agent.http_port"),
                audiosocket_port=port("agent.audiosocket_port"),
            ),
            console=ConsoleSettings(port=port("console.port")),
        )
        with pytest.raises(SetupError, match=f"port {taken} .* set {setting} "):
            supervisor.check_ports(chosen)


def test_data_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="data_dir"):
        supervisor.take_lock(Settings(data_dir=tmp_path / "file" / "data"))
