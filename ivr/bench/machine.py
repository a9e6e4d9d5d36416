"""What processes take of the machine, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """That a process and its children have used so far; 0 if there is none."""
    total = 0.0
    for one in family(pid):
        try:
            total += spent_s(Path(f"/proc/{one}/stat").read_text())
        except OSError:
            continue
    return total


def spent_s(stat: str) -> float:
    """Processor time in what /proc has as `stat` of a process or a thread."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stolen_s() -> float:
    """Processor time that a virtual machine was due and did not get, of all its cores."""
    fields = Path("/proc/stat").read_text().split(maxsplit=9)
    return int(fields[8]) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    """Of a process and its children; what they share counts for each."""
    total = 0.0
    for one in family(pid):
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
        except OSError:
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return total


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *children(pid)]


def children(pid: int) -> list[int]:
    """Of all its threads."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, thread.read_text().split())
        except OSError:
            continue
    return found
