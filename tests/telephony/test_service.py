"""A site is brought up, watched over, and taken down again."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Site, wait_until

from ivr import supervisor


@pytest.fixture(scope="module")
def own_site(make_site: Callable[..., Site]) -> Iterator[Site]:
    """One that may be hurt; each test leaves it up."""
    made = make_site()
    made.up()
    yield made
    made.down()


def status(site: Site) -> dict[str, object]:
    document: dict[str, object] = json.loads(site.yihu("status", "--json").stdout)
    return document


def is_ready(site: Site) -> bool:
    return supervisor.read_state(site.settings).ready and supervisor.sip_answers(
        "127.0.0.1", site.settings
    )


def test_status_tells_what_runs(own_site: Site) -> None:
    told = status(own_site)
    assert told["up"] and told["ready"]
    assert told["processes"] == {
        "asterisk": own_site.pid("asterisk"),
        "agent": own_site.pid("agent"),
        "outreach": own_site.pid("outreach"),
        "console": own_site.pid("console"),
    }
    assert told["console"] == own_site.settings.console.url


def test_second_up_says_so_and_changes_nothing(own_site: Site) -> None:
    before = own_site.pid("agent")
    again = own_site.yihu("up", "-d")
    assert again.returncode == 0
    assert "already up" in again.stderr
    assert own_site.pid("agent") == before


@pytest.mark.parametrize("name", ["agent", "asterisk", "outreach", "console"])
def test_what_dies_is_started_again(own_site: Site, name: str) -> None:
    before = own_site.pid(name)
    own_site.kill(name)
    wait_until(lambda: own_site.pid(name) != before)
    wait_until(lambda: is_ready(own_site))


def test_up_after_the_supervisor_was_killed_leaves_no_second_agent(own_site: Site) -> None:
    orphan = own_site.pid("agent")
    os.kill(supervisor.read_state(own_site.settings).pid, signal.SIGKILL)
    own_site.up()
    assert supervisor.start_ticks(orphan) is None
    assert own_site.pid("agent") != orphan


def test_down_stops_everything_and_may_be_said_twice(own_site: Site) -> None:
    pids = [own_site.pid("agent"), own_site.pid("asterisk")]
    first, second = own_site.yihu("down"), own_site.yihu("down")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "was not up" in second.stderr
    assert [pid for pid in pids if supervisor.start_ticks(pid) is not None] == []
    assert own_site.yihu("status").returncode == 1
    own_site.up()


def test_port_in_use_is_one_clear_line(make_site: Callable[..., Site]) -> None:
    site = make_site()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", site.settings.sip.port))
        failed = site.yihu("up", "-d")
    assert failed.returncode == 1
    assert f"port {site.settings.sip.port}" in failed.stderr
    assert "YIHU_SIP__PORT" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_own_asterisk_is_told_what_to_include(
    make_site: Callable[..., Site], tmp_path: Path
) -> None:
    done = make_site().yihu("asterisk", "render", str(tmp_path / "etc"))
    assert done.returncode == 0
    for path in (tmp_path / "etc").glob("yihu-*.conf"):
        assert f"#include {path.name}" in done.stdout
