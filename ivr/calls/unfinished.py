"""Whether a phrase sounds as if more were to come, so that the caller gets more time."""

from __future__ import annotations

from collections.abc import Set

from ivr.understanding.meaning import EMERGENCY, Act, Kind, Meaning, State

HESITATION = ("那个", "这个", "就是", "就是说", "然后", "还有", "因为", "所以", "的话")
"""What nobody ends with who has said it all."""
VERB = 1
"""Syllables that may follow what comes before a need without being one: 帮我理, 家里水."""


def sounds_unfinished(text: str, meaning: Meaning, question: State, frames: Set[str]) -> bool:
    """我要那个; or, asked what is needed, no more than what comes before the need: 我想请人来,
    帮我理, 明天上午九点.

    text: characters only; frames: words around a need that are none themselves.
    """
    if text.endswith(HESITATION):
        return True
    if question is not State.OPEN:
        return meaning.kind is not Kind.ACT and text in frames
    if meaning.code == EMERGENCY or (meaning.kind is Kind.ACT and meaning.code != Act.YES):
        return False
    return meaning.kind is Kind.TIME or _comes_before_need(text, frames)


def _comes_before_need(text: str, frames: Set[str]) -> bool:
    reached = {0}
    for begin in range(len(text)):
        if begin in reached:
            ends = range(begin + 1, len(text) + 1)
            reached.update(end for end in ends if text[begin:end] in frames)
    return any(end > VERB and len(text) - end <= VERB for end in reached)
