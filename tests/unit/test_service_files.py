"""What is handed to systemd, Prometheus and Grafana fits what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from ivr import monitoring as _all  # noqa: F401
from ivr.calls import metrics as _agent  # noqa: F401
from ivr.config import ROOT, AgentSettings, MonitoringSettings
from ivr.console import metrics as _console  # noqa: F401
from ivr.outreach import metrics as _outreach  # noqa: F401

SERVICE = ROOT / "service"
UNITS = sorted((SERVICE / "systemd").iterdir())
OF_PROMETHEUS = {"up"}
"""What it knows of by itself."""
WORDS = {"sum", "by", "rate", "increase", "histogram_quantile", "job", "__rate_interval"}


def exposed() -> set[str]:
    """Names as they can be asked for."""
    names = set()
    for family in REGISTRY.collect():
        names.add(family.name)
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {f"{family.name}{end}" for end in suffixes.get(family.type, ())}
        names |= {sample.name for sample in family.samples}
    return names


def asked(expression: str) -> set[str]:
    """Names of metrics in an expression, without labels and functions."""
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", " ", expression)
    return set(re.findall(r"\b[a-z]\w*(?![\w(])", plain)) - WORDS


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_unit_is_one_that_systemd_takes(unit: Path, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on the PATH")
    for other in UNITS:
        text = other.read_text().replace("/opt/yihu", str(ROOT))
        (tmp_path / other.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
    )
    told = [line for line in done.stderr.splitlines() if "yihu" in line]
    assert (done.returncode, told) == (0, []), done.stderr


@pytest.mark.parametrize("name", ["yihu.service", "yihu-agent.service"])
def test_calls_have_the_time_to_end_that_the_settings_promise(name: str) -> None:
    text = (SERVICE / "systemd" / name).read_text()
    found = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert found and int(found[1]) > AgentSettings().drain_s + 10


@pytest.mark.parametrize("name", ["agent", "outreach", "console"])
def test_process_that_freezes_is_started_again(name: str) -> None:
    """See tests/telephony/test_watchdog.py for what the process does."""
    lines = (SERVICE / "systemd" / f"yihu-{name}.service").read_text().splitlines()
    assert {"Type=notify", "Restart=always", "WatchdogSec=10"} <= set(lines)


def test_dashboard_asks_for_what_is_measured() -> None:
    dashboard: dict[str, Any] = json.loads((SERVICE / "grafana" / "yihu.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 20
    for expression in expressions:
        names = asked(expression)
        assert names, expression
        assert names <= exposed() | OF_PROMETHEUS, names - exposed()
    places = [tuple(panel["gridPos"].values())[:2] for panel in dashboard["panels"]]
    assert len(set(places)) == len(places)


def test_alerts_ask_for_what_is_measured() -> None:
    rules = yaml.safe_load((SERVICE / "prometheus" / "yihu-alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert asked(rule["expr"]) <= exposed() | OF_PROMETHEUS, rule["alert"]


def test_prometheus_reads_the_ports_that_processes_have() -> None:
    read = yaml.safe_load((SERVICE / "prometheus" / "yihu.yml").read_text())
    targets = {
        config["labels"]["process"]: config["targets"][0].rpartition(":")[2]
        for config in read["scrape_configs"][0]["static_configs"]
    }
    assert targets == {
        "agent": str(AgentSettings().http_port),
        "outreach": str(MonitoringSettings().outreach_port),
        "console": str(MonitoringSettings().console_port),
    }
