"""What recognisers write, brought into one form."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

_NOT_TEXT = re.compile(r"[^0-9A-Za-z\u3400-\u9fff\uac00-\ud7a3]")


@cache
def _simplifier() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def plain(text: str) -> str:
    """Simplified characters, digits and letters; no punctuation, no spaces."""
    return _NOT_TEXT.sub("", _simplifier().convert(text))
