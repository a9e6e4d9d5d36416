"""Weights: fetched from wherever they can be had, checked, and never half there."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import shutil
import socket
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from audio import models
from audio.models import Checksums, Model, ModelError, ModelFile
from audio.sherpa import KINDS
from ivr.commands.models import app

DATA = bytes(range(256)) * 64


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files; knows ranges, which the library's handler does not."""

    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        file = Path(self.directory) / self.path.lstrip("/")
        if not file.is_file():
            self.send_error(404)
            return
        data = file.read_bytes()
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path, list[tuple[str, str | None]]]]:
    """A web server on this machine: its address, its folder, what it was asked for."""
    folder = tmp_path / "web"
    folder.mkdir()
    Handler.asked = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Handler, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder, Handler.asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def nowhere() -> str:
    """An address where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def make_known(monkeypatch: pytest.MonkeyPatch, *sources: tuple[str, ...]) -> None:
    file = ModelFile("weights.bin", len(DATA), hashlib.sha256(DATA).hexdigest(), sources)
    model = Model("tiny", "whisper", "for tests", "MIT", (file,))
    monkeypatch.setattr(models, "known", lambda: {"tiny": model})


def wheel(path: Path, member: str, data: bytes) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(member, data)
        packed.writestr(
            "part-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: part\nVersion: 1.0\n"
        )
        packed.writestr("part-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        packed.writestr("part-1.0.dist-info/RECORD", "")
        packed.writestr("part/__init__.py", "raise SystemExit('imported')")


def test_next_source_is_tried_when_the_first_cannot_be_reached(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
    nowhere: str,
) -> None:
    address, folder, _ = web
    (folder / "a").write_bytes(DATA[:5000])
    (folder / "b").write_bytes(DATA[5000:])
    make_known(monkeypatch, (f"url {nowhere}/x",), (f"url {address}/a", f"url {address}/b"))
    path = models.install("tiny", tmp_path / "models")
    assert (path / "weights.bin").read_bytes() == DATA
    assert models.verify("tiny", tmp_path / "models") == []
    assert models.require("tiny", tmp_path / "models") == path
    assert [p.name for p in (tmp_path / "models").iterdir() if "staging" in p.name] == []


def test_file_with_another_checksum_is_not_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
) -> None:
    address, folder, _ = web
    (folder / "bad").write_bytes(DATA[::-1])
    (folder / "good").write_bytes(DATA)
    make_known(monkeypatch, (f"url {address}/bad",), (f"url {address}/good",))
    path = models.install("tiny", tmp_path / "models")
    assert (path / "weights.bin").read_bytes() == DATA


def test_nothing_is_left_half_installed_when_no_source_has_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
    nowhere: str,
) -> None:
    address, _, _ = web
    make_known(monkeypatch, (f"url {nowhere}/x",), (f"url {address}/missing",))
    with pytest.raises(ModelError) as error:
        models.install("tiny", tmp_path / "models")
    assert "cannot be reached" in str(error.value) and "404" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="yihu models install tiny"):
        models.require("tiny", tmp_path / "models")


def test_broken_download_goes_on_where_it_stopped(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
) -> None:
    address, folder, asked = web
    (folder / "a").write_bytes(DATA)
    make_known(monkeypatch, (f"url {address}/a",))
    staging = tmp_path / "models" / ".tiny.staging"
    staging.mkdir(parents=True)
    name = hashlib.sha256(f"{address}/a".encode()).hexdigest()[:16]
    (staging / f"{name}.part").write_bytes(DATA[:7000])
    path = models.install("tiny", tmp_path / "models")
    assert asked == [("/a", "bytes=7000-")]
    assert (path / "weights.bin").read_bytes() == DATA


def test_package_is_unpacked_as_data_and_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    wheel(packages / "part-1.0-py3-none-any.whl", "part/data.bin", DATA)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    make_known(monkeypatch, ("wheel part==1.0 part/data.bin",))
    path = models.install("tiny", tmp_path / "models")
    assert (path / "weights.bin").read_bytes() == DATA
    assert "part" not in sys.modules


def test_package_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    make_known(monkeypatch, ("wheel part==1.0 part/data.bin",))
    with pytest.raises(ModelError, match=r"package part==1\.0: ERROR"):
        models.install("tiny", tmp_path / "models")


def test_damage_is_found_and_repaired(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
) -> None:
    address, folder, asked = web
    (folder / "a").write_bytes(DATA)
    make_known(monkeypatch, (f"url {address}/a",))
    path = models.install("tiny", tmp_path / "models")
    (path / "weights.bin").write_bytes(DATA[:-1] + b"\x00")
    assert models.verify("tiny", tmp_path / "models") == ["tiny/weights.bin is damaged"]
    with pytest.raises(ModelError, match="damaged: run `yihu models install tiny`"):
        models.require("tiny", tmp_path / "models")
    models.install("tiny", tmp_path / "models")
    assert models.verify("tiny", tmp_path / "models") == []
    models.install("tiny", tmp_path / "models")
    assert len(asked) == 2  # the third run found everything right


def test_full_disk_is_said_before_anything_is_fetched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
) -> None:
    address, _, asked = web
    make_known(monkeypatch, (f"url {address}/a",))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(ModelError, match=r"needs .* are free"):
        models.install("tiny", tmp_path / "models")
    assert asked == []


@pytest.mark.parametrize("kind", ["zip", "tar.bz2"])
def test_model_by_address_is_recorded_and_verified(
    tmp_path: Path, web: tuple[str, Path, list[tuple[str, str | None]]], kind: str
) -> None:
    address, folder, _ = web
    source = tmp_path / "dialect-model"
    source.mkdir()
    (source / "tokens.txt").write_text("a 0")
    archive = folder / f"m.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            packed.write(source / "tokens.txt", "dialect-model/tokens.txt")
    else:
        with tarfile.open(archive, "w:bz2") as packed_tar:
            packed_tar.add(source, "dialect-model")
    path = models.install("mine", tmp_path / "models", url=f"{address}/{archive.name}")
    assert (path / "tokens.txt").read_text() == "a 0"
    assert models.verify("mine", tmp_path / "models") == []
    (path / "tokens.txt").write_text("b 0")
    assert models.verify("mine", tmp_path / "models") == ["mine/tokens.txt is damaged"]


def test_model_from_a_folder_replaces_the_one_before(tmp_path: Path) -> None:
    for text in ("a 0", "b 0"):
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "tokens.txt").write_text(text)
        path = models.install("mine", tmp_path / "models", source=source)
        assert (path / "tokens.txt").read_text() == text


def test_archive_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    archive = tmp_path / "evil.tar"
    (tmp_path / "x").write_text("x")
    with tarfile.open(archive, "w") as packed:
        packed.add(tmp_path / "x", "../../../escaped")
    with pytest.raises(ModelError, match="cannot be unpacked"):
        models.install("mine", tmp_path / "models", source=archive)
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("name", ["../mine", ".mine", "a/b"])
def test_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="cannot be the name"):
        models.install(name, tmp_path / "models", source=tmp_path)


def test_every_known_model_says_where_it_comes_from_and_how_far_it_is_known() -> None:
    for model in models.known().values():
        assert model.files or model.archive, model.name
        assert bool(model.files) == (model.checksums is not Checksums.RECORDED), model.name
        assert model.engine in {"whisper", "kokoro", "vosk", "sherpa-onnx"}
        assert (model.kind in KINDS) == (model.engine == "sherpa-onnx"), model.name
        for file in model.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0 and file.sources
            assert all(len(part.split()) == 3 or part.startswith("url ") for part in flat(file))


def flat(file: ModelFile) -> list[str]:
    return [part for parts in file.sources for part in parts]


def packed(folder: Path, name: str = "dialect-model") -> Path:
    """An archive as the authors of sherpa-onnx make them: one folder of its own name."""
    source = folder / name
    (source / "tokenizer").mkdir(parents=True)
    (source / "model.onnx").write_bytes(DATA)
    (source / "tokenizer" / "vocab.json").write_bytes(DATA[:100])
    archive = folder / f"{name}.tar.bz2"
    with tarfile.open(archive, "w:bz2") as packed_tar:
        packed_tar.add(source, name)
    return archive


def test_files_of_a_dialect_model_come_from_one_archive_when_the_hub_cannot_be_reached(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: tuple[str, Path, list[tuple[str, str | None]]],
    nowhere: str,
) -> None:
    address, folder, asked = web
    archive = f"{address}/{packed(folder).name}"
    files = {
        path: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in {"model.onnx": DATA, "tokenizer/vocab.json": DATA[:100]}.items()
    }
    row = {"engine": "sherpa-onnx", "kind": "wenet", "about": "", "licence": "", "files": files}
    table = tmp_path / "models.yaml"
    table.write_text(json.dumps({"dialect": row | {"hub": "some/model", "archive": archive}}))
    monkeypatch.setattr(models, "TABLE", table)
    monkeypatch.setattr("huggingface_hub.hf_hub_url", lambda name, path: f"{nowhere}/{path}")
    models.known.cache_clear()
    try:
        path = models.install("dialect", tmp_path / "models")
        assert models.verify("dialect", tmp_path / "models") == []
        assert models.kind_of(path) == "wenet"
    finally:
        models.known.cache_clear()
    assert (path / "tokenizer" / "vocab.json").read_bytes() == DATA[:100]
    assert [where for where, _ in asked] == ["/dialect-model.tar.bz2"]


def test_archive_must_have_the_checksum_the_administrator_gave(
    tmp_path: Path, web: tuple[str, Path, list[tuple[str, str | None]]]
) -> None:
    address, folder, asked = web
    archive = packed(folder)
    url, right = f"{address}/{archive.name}", models.sha256_of(archive)
    with pytest.raises(ModelError, match=f"has the SHA-256 {right}, not the one given"):
        models.install("mine", tmp_path / "models", url=url, sha256="0" * 64)
    assert models.installed(tmp_path / "models") == []
    path = models.install("mine", tmp_path / "models", url=url, sha256=right, kind="wenet")
    assert models.kind_of(path) == "wenet"
    assert len(asked) == 2  # what was wrong was not kept


def test_another_edition_of_a_known_model_needs_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_known(monkeypatch, ("url http://127.0.0.1/x",))
    edition = tmp_path / "edition"
    edition.mkdir()
    (edition / "weights.bin").write_bytes(DATA[::-1])
    with pytest.raises(ModelError, match="under a name of its own"):
        models.install("tiny", tmp_path / "models", source=edition)
    models.install("tiny-2", tmp_path / "models", source=edition)
    assert models.verify("tiny-2", tmp_path / "models") == []


def test_command_lists_and_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YIHU_MODELS_DIR", str(tmp_path))
    run = CliRunner().invoke
    listed = json.loads(run(app, ["list", "--json"]).stdout)["models"]
    assert {row["name"] for row in listed} >= {"whisper-base", "kokoro", "sense-voice"}
    assert not any(row["installed"] for row in listed)
    missing = run(app, ["verify", "whisper-base", "--json"])
    assert missing.exit_code == 1
    assert json.loads(missing.stdout)["models"][0]["ok"] is False
    assert run(app, ["install", "no-such-model"]).exit_code == 2
    assert run(app, ["install", "mine", "--url", "x", "--kind", "no-such-kind"]).exit_code == 2
    assert run(app, ["install", "whisper-base", "--sha256", "0" * 64]).exit_code == 2
