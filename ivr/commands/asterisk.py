"""`yihu asterisk`: the telephone exchange that the agent works behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from audio.synthesiser import SynthesiserError
from ivr import supervisor
from ivr.config import load_settings
from ivr.telephony import pbx
from store.database import StoreError


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="The Asterisk that the agent works behind.", no_args_is_help=True)
    group.command()(install)
    group.command()(render)
    group.command()(console)
    app.add_typer(group, name="asterisk")


def install() -> None:
    """Install Asterisk if this machine has none that fits."""
    status = subprocess.run(
        ["sh", str(pbx.INSTALLER), str(pbx.root_dir(load_settings()))]
    ).returncode
    raise typer.Exit(1 if status else 0)


def render(
    folder: Annotated[Path, typer.Argument(help="Where to write it, for example /etc/asterisk.")],
) -> None:
    """Write the configuration that an Asterisk of your own includes."""
    settings = load_settings()
    folder = folder.absolute()
    place = pbx.Place(None, PurePosixPath(folder / "yihu"), "", "", None, None)
    try:
        telephones = supervisor.known_operators(settings)
        written = pbx.write_configuration(settings, place, folder, False, telephones)
        supervisor.write_sounds(settings, place)
    except (OSError, pbx.PbxError, StoreError, SynthesiserError) as error:
        typer.echo(f"yihu: {error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"Written to {folder}. Add to the end of your files there, then restart Asterisk:")
    for path in written:
        if path.parent == folder:
            typer.echo(f"  {path.name.removeprefix('yihu-'):20} #include {path.name}")
    typer.echo("pjsip.conf needs, in its section of type global:")
    typer.echo("  endpoint_identifier_order = header,username,ip")


def console(
    command: Annotated[
        str | None, typer.Argument(help="One console command; without it, the console.")
    ] = None,
) -> None:
    """Open the console of the running Asterisk, or run one command in it."""
    place = pbx.find_place(load_settings())
    if place is None:
        typer.echo("yihu: there is no Asterisk here yet: run `yihu up`", err=True)
        raise typer.Exit(1)
    line = place.command(*(["-rx", command] if command else ["-r"]))
    os.execvp(line[0], line)
