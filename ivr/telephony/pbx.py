"""This site's Asterisk: where it is, its folders, its configuration, and how it is started.

Asterisk either runs natively or in the folder that asterisk/install.sh builds. The two differ only
in `Place.root`: every other path is as Asterisk sees it, `Place.host` gives it as we see it.
Several sites share one such folder, each with its own configuration, state and sounds below it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2

from audio.files import whole
from ivr.config import ROOT, Settings
from store.models import Operator

TEMPLATES = ROOT / "asterisk" / "templates"
DIALPLANS = ROOT / "dialplans"
INSTALLER = ROOT / "asterisk" / "install.sh"
OLDEST = 20

AMI_USER = "yihu"

GENERATED = "generated"
OPERATORS = "yihu-operators.conf"

UNUSED = {
    "acl": "",
    "ccss": "[general]",
    "cdr": "[general]\nenable = no",
    "cel": "[general]\nenable = no",
    "features": "[general]",
    "http": "[general]\nenabled = no",
    "pjproject": "",
    "queuerules": "[general]",
    "stasis": "[threadpool]",
    "udptl": "[general]",
}
"""Files whose absence Asterisk reports as an error, with the little that they need."""

MODULE_DIRS = (
    "usr/lib/*/asterisk/modules",
    "usr/lib/asterisk/modules",
    "usr/lib64/asterisk/modules",
    "usr/local/lib/asterisk/modules",
)
DATA_DIRS = ("usr/share/asterisk", "var/lib/asterisk", "usr/local/share/asterisk")

ENTER = """\
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 72
exec chroot "$1" /usr/sbin/asterisk -f -n -C "$2"
"""
"""Run in a mount namespace of its own: the mounts are gone with the process, however it ends."""


class PbxError(Exception):
    """Asterisk cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one site's Asterisk keeps its things; paths as Asterisk sees them."""

    root: Path | None
    """Folder that Asterisk is chrooted into; None when it runs natively."""
    base: PurePosixPath
    """Everything of this site is below it."""
    modules: str
    data: str
    """Asterisk's own read-only data (documentation of its options, which it needs to start)."""
    user: str | None
    """System user it runs as; None: whoever starts it."""
    owner: tuple[int, int] | None
    """Numbers of that user and its group."""

    @property
    def etc(self) -> PurePosixPath:
        return self.base / "etc"

    @property
    def var(self) -> PurePosixPath:
        return self.base / "var"

    @property
    def run(self) -> PurePosixPath:
        return self.base / "run"

    @property
    def log(self) -> PurePosixPath:
        return self.base / "log"

    @property
    def spool(self) -> PurePosixPath:
        return self.base / "spool"

    @property
    def recordings(self) -> PurePosixPath:
        """Of whole calls, `CALL_UUID.wav`; Asterisk's user writes there."""
        return self.spool / "recordings"

    @property
    def cache(self) -> PurePosixPath:
        return self.base / "cache"

    @property
    def sounds(self) -> PurePosixPath:
        return self.base / "sounds"

    def host(self, path: PurePosixPath) -> Path:
        """The same path as this process sees it."""
        return self.root / path.relative_to("/") if self.root else Path(path)

    def command(self, *console: str) -> list[str]:
        """Command line that runs Asterisk in the foreground, or with arguments its console."""
        conf = str(self.etc / "asterisk.conf")
        if self.root is None:
            return ["asterisk", *(console or ("-f", "-n")), "-C", conf]
        enter = ["chroot", str(self.root), "/usr/sbin/asterisk"]
        if console:
            return [*enter, *console, "-C", conf]
        namespace = ["unshare", "--mount", "--propagation", "private"]
        if subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
            return [*namespace, "sh", "-c", ENTER, "sh", str(self.root), conf]
        # A container that may not mount: Asterisk runs with the devices that debootstrap made.
        return [*enter, "-f", "-n", "-C", conf]


def root_dir(settings: Settings) -> Path:
    """The folder that asterisk/install.sh builds for this site, whether it is there or not."""
    return (settings.asterisk.root or settings.data_dir / "asterisk-root").absolute()


def find_place(settings: Settings) -> Place | None:
    """Where this site's Asterisk is; None if none that fits is installed.

    Looks where asterisk/install.sh does, in the same order.
    """
    root = root_dir(settings)
    if (root / "usr/sbin/asterisk").exists():
        site = hashlib.sha256(str(settings.data_dir.absolute()).encode()).hexdigest()[:10]
        owner = _user(root / "etc/passwd", "asterisk")
        return _place(root, PurePosixPath("/srv/yihu") / site, "asterisk" if owner else None, owner)
    if _native_version() >= OLDEST:
        base = PurePosixPath(settings.data_dir.absolute() / "asterisk")
        place = _place(None, base, None, None)
        if place and (Path(place.modules) / "app_audiosocket.so").exists():
            return place
    return None


def _place(
    root: Path | None, base: PurePosixPath, user: str | None, owner: tuple[int, int] | None
) -> Place | None:
    top = root or Path("/")
    modules = [path for pattern in MODULE_DIRS for path in top.glob(pattern)]
    data = [top / name for name in DATA_DIRS if (top / name / "documentation").is_dir()]
    if not modules or not data:
        return None
    inside = [f"/{path.relative_to(top)}" for path in (modules[0], data[0])]
    return Place(root, base, inside[0], inside[1], user, owner)


def _user(passwd: Path, name: str) -> tuple[int, int] | None:
    for line in passwd.read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3])
    return None


def _native_version() -> int:
    if shutil.which("asterisk") is None:
        return 0
    try:
        said = subprocess.run(["asterisk", "-V"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0  # what cannot even say its version is not one that fits
    match = re.match(r"Asterisk\D*(\d+)", said)
    return int(match[1]) if match else 0


def prepare(settings: Settings, place: Place, operators: Sequence[Operator] = ()) -> None:
    """Writes the site's folders and configuration; all of it, with the sounds that are there by
    now, belongs to the user that Asterisk runs as.

    operators: those who have a telephone.

    Raises PbxError if that is not allowed.
    """
    try:
        for path in (
            place.etc,
            place.var / "keys",
            place.run,
            place.log,
            place.spool,
            place.cache,
        ):
            place.host(path).mkdir(parents=True, exist_ok=True)
        place.host(place.recordings).mkdir(mode=0o700, exist_ok=True)
        etc = place.host(place.etc)
        write_configuration(settings, place, etc, whole=True, operators=operators)
        if place.owner:
            own = place.host(place.base)
            for entry in (own, *own.rglob("*")):
                os.chown(entry, *place.owner, follow_symlinks=False)
    except PermissionError as error:
        raise PbxError(
            f"no permission to write {error.filename}: Asterisk in {place.root} is run by root "
            "(use sudo), or install an Asterisk of your own"
        ) from error


def write_configuration(
    settings: Settings,
    place: Place,
    folder: Path,
    whole: bool,
    operators: Sequence[Operator] = (),
) -> list[Path]:
    """Renders Asterisk's configuration for these settings into a folder.

    whole: also what only an Asterisk of Yihu's own needs (asterisk.conf, modules.conf, ...);
    without it, the yihu-*.conf files to be included by another.
    """
    environment = _environment()
    values = {
        "place": place,
        "sip": settings.sip,
        "asterisk": settings.asterisk,
        "recording": settings.recording,
        "agent": settings.agent,
        "queue": settings.queue,
        "emergency": settings.emergency,
        "outbound": settings.outbound,
        "callback": settings.callback,
        "secrets": settings.secrets,
        "sip_target": loopback(settings.sip.host),
        "dialplans": sorted(path.name for path in DIALPLANS.glob("*.conf")),
    }
    written = []
    for template in sorted(TEMPLATES.glob("*.conf")):
        if whole or template.name.startswith("yihu-"):
            path = folder / template.name
            _write(path, environment.get_template(template.name).render(values))
            written.append(path)
    for name, text in UNUSED.items() if whole else ():
        _write(folder / f"{name}.conf", f"; Not used.\n{text}\n")
    for dialplan in sorted(DIALPLANS.glob("*.conf")):
        path = folder / "dialplans" / dialplan.name
        _write(path, dialplan.read_text())
        written.append(path)
    write_operators(place, folder, operators)
    return [*written, folder / GENERATED / OPERATORS]


def write_operators(place: Place, folder: Path, operators: Sequence[Operator]) -> bool:
    """Renders the SIP accounts of the operators' telephones, the only part of the configuration
    that changes while Asterisk runs; whether it has. For Asterisk's eyes only: the passwords are
    in it.
    """
    path = folder / GENERATED / OPERATORS
    text = _environment().get_template(f"{GENERATED}/{OPERATORS}").render(operators=operators)
    if path.is_file() and path.read_text() == text:
        return False
    _write(path, text)
    if place.owner:
        for entry in (path.parent, path):
            os.chown(entry, *place.owner)
    return True


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        finalize=_value,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def loopback(host: str) -> str:
    """The address by which this machine reaches what listens on `host`."""
    return "127.0.0.1" if host == "0.0.0.0" else host


def _value(value: Any) -> Any:
    """A setting as it stands in a configuration line: it must not end it or begin another."""
    text = str(value)
    if any(ord(character) < 32 for character in text):
        raise PbxError(f"a setting for Asterisk has a line break or control character: {text!r}")
    return value if isinstance(value, jinja2.Undefined) else text.replace(";", "\\;")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path, 0o600) as out:
        out.write(text.encode())
