"""Nothing that comes in makes who reads it fail otherwise than it says (guided.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GUIDED = Path(__file__).parent / "guided.py"


@pytest.mark.faults
@pytest.mark.parametrize("target", ["audiosocket", "webhook", "kannel"])
def test_whatever_comes_in_is_read_or_refused(target: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="has wheels for Linux on x86-64 alone")
    done = subprocess.run(
        [sys.executable, str(GUIDED), target, "-atheris_runs=30000", "-seed=1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Done 30000" in done.stderr
