"""Which dialects there are: for those who name them without listening."""

from __future__ import annotations

from pathlib import Path

MANDARIN = "mandarin"


def dialect_names(root: Path) -> list[str]:
    """The folders below `root` that are dialects, Mandarin first."""
    names = (path.parent.name for path in root.glob("*/dialect.yaml"))
    return sorted(names, key=lambda name: (name != MANDARIN, name))
