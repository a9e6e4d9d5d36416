"""Whether a phrase sounds as if more were to come, so that the caller gets more time."""

from __future__ import annotations

from collections.abc import Set

HESITATION = ("那个", "这个", "就是", "就是说", "然后", "还有", "因为", "所以", "的话")
"""What nobody ends with who has said it all."""


def sounds_unfinished(text: str, frames: Set[str]) -> bool:
    """我想, 请人来, 我要那个: no more than what comes before the need.

    text: characters only; frames: words around a need that are none themselves.
    """
    return text.endswith(HESITATION) or text in frames
