"""`yihu test`: everything that must hold before a change is taken."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from audio.models import ModelError
from audio.synthesiser import SynthesiserError
from ivr import supervisor
from ivr.config import ROOT, load_settings
from ivr.supervisor import SetupError

CHECKED = ["audio", "ivr", "store", "tests"]
PAGES = "tests/browser"
SIDE_BY_SIDE = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", f"--ignore={PAGES}"]
"""Telephone calls take their time and little else, so several test files run at once, a file in
one process; in their order, in which the calls come before what needs the processor."""
ALIKE = {"PYTHONHASHSEED": "0"}
"""All processes must come upon the same tests, also where a test's parameters come from a set."""


def add_to(app: typer.Typer) -> None:
    app.command(
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(test)


def test(
    context: typer.Context,
    faults: Annotated[
        bool, typer.Option("--faults", help="Also the tests that break things; they take long.")
    ] = False,
) -> None:
    """Run style, types and all tests; further arguments go to pytest.

    With pytest arguments only pytest runs.
    """
    settings = load_settings()
    try:
        install_test_libraries()
        install_programs(faults)
        supervisor.install_asterisk(settings, _say)
        supervisor.install_models(settings, _say)
        supervisor.speak_prompts(settings, _say)
    except (SetupError, ModelError, SynthesiserError) as error:
        _say(str(error))
        raise typer.Exit(1) from error

    checks = (
        []
        if context.args
        else [
            ["-m", "ruff", "check", "."],
            ["-m", "ruff", "format", "--check", "."],
            ["-m", "mypy", *(name for name in CHECKED if (ROOT / name).is_dir())],
        ]
    )
    marks = [] if faults else ["-m", "not faults"]
    failed = []
    runs = [context.args] if context.args else [SIDE_BY_SIDE, [PAGES]]  # a browser wants it quiet
    for check in [*checks, *(["-m", "pytest", *marks, *run] for run in runs)]:
        _say(" ".join(check[1:]))
        started = time.monotonic()
        if subprocess.run([sys.executable, *check], cwd=ROOT, env=os.environ | ALIKE).returncode:
            failed.append(check[1])
        _say(f"{check[1]} took {time.monotonic() - started:.0f} s")
    if failed:
        _say(f"failed: {', '.join(failed)}")
        raise typer.Exit(1)


def install_test_libraries() -> None:
    """The `test` extra of pyproject.toml, which a site that only runs does not have."""
    wanted = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = Path(sys.prefix) / ".installed-test"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    _say("installing the test libraries")
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    if subprocess.run([*pip, "--editable", f"{ROOT}[test]"]).returncode:
        raise SetupError("pip could not install the test libraries: check the network, run again")
    stamp.write_text(wanted)


def install_programs(faults: bool) -> None:
    """Chromium with a font for Chinese, since the pages are looked at in the real thing; and Kannel
    with its simulated network, since messages go through the real thing too. For the tests that
    break things also a clock that can be put forward."""
    missing = [] if shutil.which("chromium") else ["chromium"]
    if not shutil.which("fc-list"):
        missing += ["fontconfig", "fonts-wqy-microhei"]
    elif not subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True).stdout.strip():
        missing.append("fonts-wqy-microhei")
    missing += [] if shutil.which("/usr/sbin/bearerbox") else ["kannel"]
    missing += [] if shutil.which("/usr/lib/kannel/test/fakesmsc") else ["kannel-extras"]
    if faults and not list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")):
        missing.append("libfaketime")
    if not missing:
        return
    packages = " ".join(missing)
    if not shutil.which("apt-get"):
        raise SetupError(f"this machine lacks {packages} (names of Debian's packages)")
    if os.geteuid() != 0:
        raise SetupError(f"run once as root, or first: sudo apt-get install {packages}")
    _say(f"installing {packages}")
    get = ["apt-get", "-qq", "-y", "--no-install-recommends"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in ([*get, "update"], [*get, "install", *missing]):
        if subprocess.run(step, env=quiet, stdout=subprocess.DEVNULL).returncode:
            raise SetupError(f"apt-get could not install {packages}: its message above says why")


def _say(line: str) -> None:
    typer.echo(f"yihu: {line}", err=True)
