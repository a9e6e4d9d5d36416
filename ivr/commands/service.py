"""`yihu up`, `yihu down`, `yihu status`: the whole site."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from ivr import supervisor
from ivr.config import Settings, load_settings
from ivr.supervisor import AlreadyUp, SetupError


def add_to(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    detach: Annotated[
        bool, typer.Option("-d", "--detach", help="Return once everything is ready.")
    ] = False,
) -> None:
    """Set up what is missing, then run Asterisk, the agent and the console until Ctrl-C."""
    settings = load_settings()
    try:
        with supervisor.take_lock(settings) as lock:
            place = supervisor.set_up(settings, lambda line: _say(f"{line}"))
            _say("starting Asterisk, the agent, call-backs and the console")
            if detach:
                supervisor.start_detached(settings, lock)
                _greet(settings)
            else:
                asyncio.run(supervisor.Supervisor(settings, place).run(lambda: _greet(settings)))
    except AlreadyUp as error:
        _say(f"already {'up' if error.state.ready else 'being started'} ({error})")
        if error.state.ready:
            _greet(settings)
    except SetupError as error:
        _fail(error)
    except KeyboardInterrupt:
        _say("stopped; what was set up so far stays")
        raise typer.Exit(1) from None


def down(
    now: Annotated[bool, typer.Option("--now", help="Do not wait for calls to end.")] = False,
) -> None:
    """Stop everything once the calls have ended, or agent.drain_s have passed; no harm if nothing
    runs."""
    try:
        was_up = supervisor.bring_down(load_settings(), now)
    except SetupError as error:
        _fail(error)
    _say("stopped" if was_up else "was not up")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Say what runs; exit status 1 if calls are not being taken."""
    settings = load_settings()
    try:
        supervisor.take_lock(settings).close()
        state = supervisor.State()
    except AlreadyUp as error:
        state = error.state
    except SetupError as error:
        _fail(error)
    running = {
        name: child["pid"]
        for name, child in state.children.items()
        if supervisor.start_ticks(child["pid"]) == child["start"]
    }
    ready = state.ready and len(running) == len(state.children)
    if as_json:
        document = {
            "up": state.pid != 0,
            "ready": ready,
            "pid": state.pid or None,
            "processes": running,
            "sip": _sip(settings),
            "agent": _agent(settings),
            "console": settings.console.url,
            "logs": str(settings.run_dir),
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    elif ready:
        _greet(settings)
    else:
        _say("being started" if state.pid else "not up")
    raise typer.Exit(0 if ready else 1)


def _sip(settings: Settings) -> str:
    return f"sip:{settings.sip.host}:{settings.sip.port}"


def _agent(settings: Settings) -> str:
    return f"http://{settings.agent.host}:{settings.agent.http_port}"


def _greet(settings: Settings) -> None:
    _say("ready")
    _say(f"  call in:  any number at {_sip(settings)} (from {', '.join(settings.sip.trunks)})")
    _say('  or try:   yihu call --say "明天上午来帮我打扫卫生" --say 对')
    _say(f"  agent:    {_agent(settings)}")
    _say(f"  console:  {settings.console.url} (yihu operator add makes whoever may log in)")
    _say(f"  logs:     {settings.run_dir}")


def _say(line: str) -> None:
    typer.echo(f"yihu: {line}", err=True)


def _fail(error: Exception) -> None:
    _say(str(error))
    raise typer.Exit(1) from error
