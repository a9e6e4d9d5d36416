"""Files that are there whole or not at all, whatever ends the process meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def whole(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once all of it is written. Raises OSError.

    `mode` is what the umask is taken from. Of a file that fails, nothing stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(draft, flags, mode), "wb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
