"""Whether a phrase sounds as if more were to come, so that the caller gets more time."""

from __future__ import annotations

from ivr.understanding.grammar import Grammar

HESITATION = ("那个", "这个", "就是", "就是说", "然后", "还有", "因为", "所以", "的话")
"""What nobody ends with who has said it all."""


def sounds_unfinished(text: str, grammar: Grammar) -> bool:
    """我想, 请人来, 我要那个: no more than what comes before the need. text: characters only."""
    return text.endswith(HESITATION) or any(
        text in dialect.frames for dialect in grammar.dialects.values()
    )
