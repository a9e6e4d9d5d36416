"""Teaches a phone head from speech of which only the sounds are known, and not when they are said.

Viterbi training (Rabiner, "A Tutorial on Hidden Markov Models", 1989): the sounds of an utterance
are first spread evenly over it; a network learns them; with what it hears the sounds are put where
they fit best; and again from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audio.phones import PRIOR_SCALE, SILENCE, Matrix, PhoneHead, framed
from ivr.understanding.syllables import Syllable

Labels = NDArray[np.intp]
States = NDArray[np.floating]

EPOCHS = (1, 1, 1, 2, 2, 3)
"""Passes over all frames after each alignment. With more of them it learns the voices by heart."""
BATCH = 1024
RATES = (2e-3, 4e-4)
"""Step of the optimiser at the start and at the end; falls along a cosine."""
DECAY = 1e-4
DROPPED = 0.5
"""Share of the hidden units that are left out at each step."""
MASKED = 0.3
"""The same of the encoder's states."""
MEMBERS = 2
"""Networks whose scores are averaged: each errs in other places."""
BEFORE, AFTER = 9, 19
"""Frames that are taken for silence at first, as recognisers get the speech with its edges."""
SMALLEST_SCALE = 1e-3
UNSEEN = 1e-4
"""Added to how common a phone is."""


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """What was said, and what an encoder made of it."""

    states: States
    """Shape (frames, dimension)."""
    syllables: Sequence[Syllable]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a head hears utterances whose sounds are known, aligned by the head itself."""

    log_likelihood: float
    """Mean log-probability of the phone that is said in a frame."""
    accuracy: float
    """Share of frames in which that phone is the likeliest."""
    frames: int


def inventory(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    """Silence and then every phone that is said."""
    said = {phone for one in utterances for syllable in one.syllables for phone in syllable}
    return (SILENCE, *sorted(said))


def transcript(syllables: Sequence[Syllable], phones: Sequence[str]) -> Labels:
    """The phones of an utterance by number, with silence at both ends."""
    number = {phone: n for n, phone in enumerate(phones)}
    said = [number[phone] for syllable in syllables for phone in syllable]
    return np.asarray([0, *said, 0])


def evenly(frames: int, said: Labels) -> Labels:
    """The phone of each frame if every phone lasts as long; shape (frames,)."""
    start, end = BEFORE, max(BEFORE + 3, frames - AFTER)
    place = (np.arange(frames) - start) * (len(said) - 2) // (end - start)
    return said[np.clip(place + 1, 0, len(said) - 1)]


def aligned(log_probs: Matrix, said: Labels) -> Labels:
    """The phone of each frame on the likeliest way through `said`, shape (frames,).

    `log_probs` has shape (frames, phones). Every phone lasts a frame or longer; the silence at
    either end may be missing. There must be as many frames as phones between them.
    """
    emitted = log_probs[:, said].astype(np.float64)
    frames, states = emitted.shape
    advanced = np.zeros((frames, states), bool)
    score = np.full(states, -np.inf)
    score[:2] = emitted[0, :2]
    for frame in range(1, frames):
        before = np.concatenate([[-np.inf], score[:-1]])
        advanced[frame] = before > score
        score = np.maximum(score, before) + emitted[frame]
    place = states - 1 if score[-1] > score[-2] else states - 2
    path = np.zeros(frames, np.intp)
    for frame in range(frames - 1, -1, -1):
        path[frame] = place
        place -= int(advanced[frame, place])
    return said[path]


class _Frames:
    """All frames of many utterances, each with its neighbours on demand."""

    def __init__(
        self, utterances: Sequence[Utterance], mean: Matrix, scale: Matrix, context: int
    ) -> None:
        self._around = np.arange(-context, context + 1)
        rows = []
        centres = []
        start = context
        for one in utterances:
            rows.append(framed(one.states.astype(np.float32), mean, scale, context))
            centres.append(np.arange(start, start + len(one.states)))
            start += len(rows[-1])
        self._rows = np.concatenate(rows)
        self._centres = np.concatenate(centres)

    def __len__(self) -> int:
        return len(self._centres)

    def inputs(self, frames: Labels) -> Matrix:
        """Shape (frames, (2 context + 1) dimension)."""
        places = self._centres[frames][:, None] + self._around
        return self._rows[places].reshape(len(frames), -1)


class _Network:
    """One hidden layer under Adam (Kingma and Ba, 2015) with weight decay and dropout."""

    def __init__(self, inputs: int, hidden: int, phones: int, chance: np.random.Generator) -> None:
        self._chance = chance
        self.arrays = [
            chance.normal(0, inputs**-0.5, (inputs, hidden)).astype(np.float32),
            np.zeros(hidden, np.float32),
            chance.normal(0, hidden**-0.5, (hidden, phones)).astype(np.float32),
            np.zeros(phones, np.float32),
        ]
        self._means = [np.zeros_like(array) for array in self.arrays]
        self._squares = [np.zeros_like(array) for array in self.arrays]
        self._steps = 0

    def learn(self, inputs: Matrix, phones: Labels, rate: float) -> None:
        """One step towards hearing `phones`, shape (frames,), in these frames."""
        hidden_weights, hidden_bias, weights, bias = self.arrays
        inputs = inputs * self._mask(inputs.shape, MASKED)
        raw = inputs @ hidden_weights + hidden_bias
        kept = self._mask(raw.shape, DROPPED)
        kept[raw < 0] = 0
        hidden = raw * kept
        scores = hidden @ weights + bias
        scores -= scores.max(axis=1, keepdims=True)
        off = np.exp(scores)
        off /= off.sum(axis=1, keepdims=True)
        off[np.arange(len(phones)), phones] -= 1
        off /= len(phones)
        back = (off @ weights.T) * kept
        self._descend([inputs.T @ back, back.sum(axis=0), hidden.T @ off, off.sum(axis=0)], rate)

    def _mask(self, shape: tuple[int, ...], share: float) -> Matrix:
        """0 for that share of the places, and for the others what makes up for it."""
        kept = self._chance.random(shape, np.float32) >= share
        return np.asarray(kept / np.float32(1 - share), np.float32)

    def _descend(self, slopes: Sequence[Matrix], rate: float) -> None:
        self._steps += 1
        first, second = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        parts = zip(self.arrays, self._means, self._squares, slopes, strict=True)
        for array, mean, square, slope in parts:
            mean += np.float32(0.1) * (slope - mean)
            square += np.float32(0.001) * (slope * slope - square)
            step = mean / np.float32(first) / (np.sqrt(square / np.float32(second)) + 1e-8)
            array -= np.float32(rate) * (step + np.float32(DECAY) * array)


def _averaged(networks: Sequence[_Network]) -> list[Matrix]:
    """The arrays of one network that gives the mean of their scores: the hidden units of all."""
    hidden_weights, hidden_bias, weights, biases = zip(*(n.arrays for n in networks), strict=True)
    return [
        np.concatenate(hidden_weights, axis=1),
        np.concatenate(hidden_bias),
        np.concatenate(weights) / np.float32(len(networks)),
        np.mean(biases, axis=0),
    ]


def _rates(steps: int) -> Iterator[float]:
    highest, lowest = RATES
    for step in range(steps):
        yield lowest + (highest - lowest) * (1 + np.cos(np.pi * step / steps)) / 2


def train(
    utterances: Sequence[Utterance],
    *,
    about: str,
    seed: int,
    context: int = 1,
    hidden: int = 192,
    members: int = MEMBERS,
    epochs: Sequence[int] = EPOCHS,
    report: Callable[[str], None] = lambda line: None,
) -> PhoneHead:
    """A head that hears the phones of these utterances; the same for the same seed.

    Utterances with fewer frames than phones are left out. `about` is kept with the head. Raises
    ValueError when there is nothing to learn from.
    """
    phones = inventory(utterances)
    said = [transcript(one.syllables, phones) for one in utterances]
    pairs = [(u, s) for u, s in zip(utterances, said, strict=True) if len(u.states) >= len(s)]
    if not pairs:
        raise ValueError("there is no utterance with as many frames as phones")
    used = [one for one, _ in pairs]
    everything = np.concatenate([one.states.astype(np.float32) for one in used])
    mean = everything.mean(axis=0)
    scale = everything.std(axis=0) + np.float32(SMALLEST_SCALE)
    del everything
    chance = np.random.default_rng(seed)
    frames = _Frames(used, mean, scale, context)
    inputs = len(mean) * (2 * context + 1)
    networks = [_Network(inputs, hidden, len(phones), chance) for _ in range(members)]
    labels = np.concatenate([evenly(len(one.states), s) for one, s in pairs])
    batches = -(-len(frames) // BATCH)
    rates = _rates(sum(epochs) * batches)

    def head() -> PhoneHead:
        common = np.bincount(labels, minlength=len(phones)) / len(labels) + UNSEEN
        hidden_weights, hidden_bias, weights, bias = _averaged(networks)
        return PhoneHead(
            phones=np.asarray(phones),
            mean=mean,
            scale=scale,
            context=np.asarray(context),
            hidden_weights=hidden_weights,
            hidden_bias=hidden_bias,
            weights=weights,
            bias=bias,
            log_prior=np.log(common).astype(np.float32),
            about=np.asarray(about),
        )

    for number, passes in enumerate(epochs, 1):
        if number > 1:
            hearing = head()
            labels = np.concatenate(
                [aligned(hearing.hear(one.states).log_probs, s) for one, s in pairs]
            )
        for _ in range(passes):
            for chosen in np.array_split(chance.permutation(len(frames)), batches):
                rate, seen = next(rates), frames.inputs(chosen)
                for network in networks:
                    network.learn(seen, labels[chosen], rate)
        report(f"training: {number} of {len(epochs)} alignments learned, {len(pairs)} utterances")
    return head()


def fit(head: PhoneHead, utterances: Sequence[Utterance]) -> Fit:
    """How well a head hears utterances; phones it does not know, and short ones, are left out."""
    phones = [str(phone) for phone in head.phones]
    log_likelihood, right, frames = 0.0, 0, 0
    for one in utterances:
        if not {*itertools.chain(*one.syllables)} <= set(phones):
            continue
        said = transcript(one.syllables, phones)
        if len(one.states) < len(said):
            continue
        scaled = head.hear(one.states.astype(np.float32)).log_probs
        shares = scaled + PRIOR_SCALE * head.log_prior
        labels = aligned(scaled, said)
        log_likelihood += float(shares[np.arange(len(labels)), labels].sum())
        right += int((shares.argmax(axis=1) == labels).sum())
        frames += len(labels)
    if not frames:
        raise ValueError("there is no utterance to measure a phone head with")
    return Fit(log_likelihood / frames, right / frames, frames)
