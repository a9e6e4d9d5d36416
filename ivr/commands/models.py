"""`yihu models`: the weights of recognisers and voices."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from audio import models
from audio.recogniser import RecogniserError
from audio.sherpa import KINDS, usable
from ivr.config import load_settings

app = typer.Typer(help="Weights of recognisers and voices.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="models")


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Shows which models there are and which are installed."""
    folder = load_settings().models
    here = models.installed(folder)
    rows = [
        {
            "name": model.name,
            "engine": model.engine,
            "kind": model.kind,
            "about": model.about,
            "licence": model.licence,
            "bytes": model.size or None,
            "checksums": model.checksums,
            "installed": model.name in here,
            "path": str(folder / model.name),
        }
        for model in models.known().values()
    ]
    rows += [
        {
            "name": name,
            "engine": None,
            "kind": models.kind_of(folder / name),
            "about": "installed by hand",
            "licence": None,
            "bytes": None,
            "checksums": models.Checksums.RECORDED,
            "installed": True,
            "path": str(folder / name),
        }
        for name in here
        if name not in models.known()
    ]
    if as_json:
        print(json.dumps({"models": rows}, ensure_ascii=False))
        return
    for row in rows:
        mark = "installed" if row["installed"] else "-"
        size = f"{int(row['bytes']) / 1e6:.0f} MB" if row["bytes"] else "?"
        engine = row["engine"] or "?"
        print(f"{row['name']:20} {engine:12} {mark:10} {size:>8} {row['about']}")


@app.command()
def install(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; without any, those the settings ask for.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every model that this code has been run with.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Archive to take the one model from.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, help="Folder or archive here to take the one model from."),
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="What that archive must have.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="Kind of sherpa-onnx model, where its files do not tell: wenet, ..."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Brings models here and checks them; run again, it goes on where it stopped."""
    settings = load_settings()
    wanted = list(names or ())
    if everything:
        wanted += [m.name for m in models.known().values() if m.checksums is models.Checksums.OWN]
    if not wanted:
        wanted = [
            name
            for name in (
                settings.recogniser.model,
                *settings.recogniser.dialect_models,
                settings.synthesiser.engine,
            )
            if name in models.known()
        ]
    if (sha256 or kind) and not (url or folder):
        raise typer.BadParameter("--sha256 and --kind go with --url or --folder")
    if kind and kind not in KINDS:
        raise typer.BadParameter(f"--kind is one of {', '.join(KINDS)}")
    if (url or folder) and len(wanted) != 1:
        raise typer.BadParameter("--url and --folder go with exactly one NAME")
    if not (url or folder) and (unknown := [n for n in wanted if n not in models.known()]):
        raise typer.BadParameter(
            f"unknown model {unknown[0]}; `yihu models list` shows all, --url and --folder add more"
        )
    paths = {}
    try:
        for name in dict.fromkeys(wanted):
            paths[name] = models.install(
                name,
                settings.models,
                url=url,
                source=folder,
                sha256=sha256,
                kind=kind,
                report=_report,
            )
            model = models.known().get(name)
            by_hand = model is None and any(paths[name].rglob("*.onnx"))
            if by_hand or (model is not None and model.engine == "sherpa-onnx"):
                _report(f"{name}: works with sherpa-onnx as {usable(paths[name])[0]}")
    except (models.ModelError, RecogniserError) as error:
        print(f"yihu: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    if as_json:
        rows = [{"name": name, "path": str(path)} for name, path in paths.items()]
        print(json.dumps({"models": rows}, ensure_ascii=False))


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Models; default all here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Recomputes the checksums of installed models."""
    folder = load_settings().models
    wrong = {name: models.verify(name, folder) for name in names or models.installed(folder)}
    if as_json:
        rows = [{"name": name, "ok": not lines, "wrong": lines} for name, lines in wrong.items()]
        print(json.dumps({"models": rows}, ensure_ascii=False))
    else:
        for name, lines in wrong.items():
            print(f"{name}: {'; '.join(lines) or 'right'}")
    if any(wrong.values()):
        raise typer.Exit(1)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
