from __future__ import annotations

import numpy as np
import pytest

from ivr.mining.training import Utterance, aligned, evenly, fit, train

DIMENSION = 12
PHONES = ("_", "a", "k", "s", "u")
QUICK = (40, 40, 40)


def spoken(count: int, seed: int) -> list[Utterance]:
    """Utterances whose every phone has a direction of its own in the states, in noise."""
    directions = np.eye(DIMENSION)[: len(PHONES)] * 4
    chance = np.random.default_rng(seed)
    utterances = []
    for _ in range(count):
        syllables = [
            (str(chance.choice(["k", "s"])), str(chance.choice(["a", "u"])))
            for _ in range(int(chance.integers(2, 5)))
        ]
        said = [0, *(PHONES.index(p) for syllable in syllables for p in syllable), 0]
        lengths = [10, *chance.integers(3, 9, len(said) - 2), 18]
        labels = np.repeat(said, lengths)
        states = directions[labels] + chance.standard_normal((len(labels), DIMENSION))
        utterances.append(Utterance(states.astype(np.float32), syllables))
    return utterances


def test_sounds_are_learned_from_speech_whose_sounds_are_known() -> None:
    head = train(spoken(60, 1), about="made up", seed=1, context=0, hidden=32, epochs=QUICK)
    unheard = fit(head, spoken(20, 2))
    assert tuple(head.phones) == PHONES
    assert unheard.accuracy > 0.9
    assert unheard.log_likelihood > -0.4


def test_same_seed_gives_the_same_head() -> None:
    one, other, another = (
        train(spoken(10, 1), about="made up", seed=seed, context=1, hidden=8, epochs=(1, 1))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(one.hidden_weights, other.hidden_weights)
    assert not np.array_equal(one.hidden_weights, another.hidden_weights)


def test_phones_are_put_where_they_are_heard_and_edges_may_have_no_silence() -> None:
    heard = np.asarray([1, 1, 1, 2, 4, 4])
    log_probs = np.where(np.eye(5)[heard] > 0, -0.1, -5.0).astype(np.float32)
    assert aligned(log_probs, np.asarray([0, 1, 2, 4, 0])).tolist() == heard.tolist()


def test_before_anything_is_known_phones_last_as_long() -> None:
    labels = evenly(60, np.asarray([0, 3, 1, 4, 2, 0]))
    assert labels[0] == labels[-1] == 0
    assert {int((labels == phone).sum()) for phone in (1, 2, 3, 4)} == {8}


def test_too_short_an_utterance_is_told() -> None:
    short = Utterance(np.zeros((3, DIMENSION), np.float32), [("k", "a"), ("s", "u")])
    with pytest.raises(ValueError, match="as many frames as phones"):
        train([short], about="made up", seed=1)
