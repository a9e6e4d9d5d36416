"""A small disk of its own for a site's store, which can be filled and can fail. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEGABYTES = 48


class Disk:
    """ext4 on a loop device, mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self._image = folder / "disk.img"
        self._filler = self.folder / "filler"

    @contextmanager
    def mounted(self) -> Iterator[Disk]:
        if os.geteuid() != 0:
            pytest.skip("only root can mount a disk")
        self.folder.mkdir()
        with self._image.open("wb") as image:
            image.truncate(MEGABYTES << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(self._image)], check=True)
        done = subprocess.run(["mount", "-o", "loop", str(self._image), str(self.folder)])
        if done.returncode:
            pytest.skip("this machine may not mount loop devices")
        try:
            yield self
        finally:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """To the last block."""
        with self._filler.open("wb", buffering=0) as filler:
            for size in (1 << 20, 4096, 1):
                try:
                    while filler.write(b"\0" * size):
                        pass
                except OSError:
                    continue

    def empty(self) -> None:
        self._filler.unlink()

    def fail(self) -> None:
        """The kernel finds an error and lets nobody write any more, also who has files open."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.folder)], check=True)
