"""Asterisk's configuration as it is written for a site."""

from __future__ import annotations

import re
import stat
from pathlib import Path, PurePosixPath

import pytest

from ivr.config import AsteriskSettings, Settings, SipSettings
from ivr.telephony import pbx
from ivr.telephony.pbx import PbxError, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    base = PurePosixPath("/srv/yihu/abc")
    return Place(tmp_path / "root", base, "/usr/lib/modules", "/usr/share/a", "asterisk", None)


def settings(tmp_path: Path, **changes: object) -> Settings:
    return Settings(data_dir=tmp_path / "data", **changes)  # type: ignore[arg-type]


def test_whole_configuration_includes_only_what_is_there(tmp_path: Path, place: Place) -> None:
    etc = tmp_path / "etc"
    written = pbx.write_configuration(settings(tmp_path), place, etc, whole=True)
    includes = [
        name for path in written for name in re.findall(r"(?m)^#include (.+)$", path.read_text())
    ]
    assert len(includes) > 5
    assert [name for name in includes if not (etc / name).is_file()] == []


def test_every_folder_of_asterisk_is_the_sites_own(tmp_path: Path, place: Place) -> None:
    pbx.write_configuration(settings(tmp_path), place, tmp_path / "etc", whole=True)
    lines = re.findall(r"(?m)^ast(\w+)dir => (.+)$", (tmp_path / "etc/asterisk.conf").read_text())
    shared = {"mod", "data"}
    assert {"etc", "run", "log", "spool", "db", "varlib", "key"} <= {name for name, _ in lines}
    assert all(path.startswith("/srv/yihu/abc/") for name, path in lines if name not in shared)


def test_own_asterisk_gets_nothing_that_would_replace_its_files(
    tmp_path: Path, place: Place
) -> None:
    etc = tmp_path / "etc"
    pbx.write_configuration(settings(tmp_path), place, etc, whole=False)
    assert all(path.name.startswith("yihu-") for path in etc.glob("*.conf"))
    assert (etc / "dialplans/inbound.conf").exists()


def test_settings_arrive(tmp_path: Path, place: Place) -> None:
    chosen = settings(
        tmp_path,
        sip=SipSettings(host="10.0.0.5", port=5070, trunks=["10.0.0.1", "10.1.0.0/24"]),
        asterisk=AsteriskSettings(operators=["PJSIP/desk1", "PJSIP/desk2"]),
    )
    pbx.write_configuration(chosen, place, tmp_path / "etc", whole=True)
    pjsip = (tmp_path / "etc/yihu-pjsip.conf").read_text()
    assert "bind = 10.0.0.5:5070" in pjsip
    assert "bind = 10.0.0.5:5071" in pjsip
    assert "match = 10.0.0.1\nmatch = 10.1.0.0/24\n" in pjsip
    queues = (tmp_path / "etc/yihu-queues.conf").read_text()
    assert "member => PJSIP/desk1\nmember => PJSIP/desk2\n" in queues
    assert "host" not in (tmp_path / "etc/yihu-manager.conf").read_text().lower()


def test_secrets_are_for_the_owner_only(tmp_path: Path, place: Place) -> None:
    for path in pbx.write_configuration(settings(tmp_path), place, tmp_path / "etc", whole=True):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_setting_cannot_begin_a_line_of_its_own(tmp_path: Path, place: Place) -> None:
    chosen = settings(tmp_path, asterisk=AsteriskSettings(operators=["PJSIP/a\n[general]"]))
    with pytest.raises(PbxError, match="line break"):
        pbx.write_configuration(chosen, place, tmp_path / "etc", whole=True)


def test_setting_cannot_comment_out_the_rest(tmp_path: Path, place: Place) -> None:
    chosen = settings(tmp_path, asterisk=AsteriskSettings(operators=["PJSIP/a;b"]))
    pbx.write_configuration(chosen, place, tmp_path / "etc", whole=True)
    assert "member => PJSIP/a\\;b\n" in (tmp_path / "etc/yihu-queues.conf").read_text()


def test_two_sites_in_one_asterisk_folder_do_not_share_anything(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in ("usr/sbin", "usr/lib/x/asterisk/modules", "usr/share/asterisk/documentation"):
        (root / folder).mkdir(parents=True)
    (root / "usr/sbin/asterisk").touch()
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("asterisk:x:101:102:PBX:/var/lib/asterisk:/bin/false\n")
    places = [
        pbx.find_place(Settings(data_dir=tmp_path / name, asterisk=AsteriskSettings(root=root)))
        for name in ("one", "two")
    ]
    assert places[0] is not None and places[1] is not None
    assert places[0].base != places[1].base
    assert places[0].owner == (101, 102)
    assert places[0].modules == "/usr/lib/x/asterisk/modules"
