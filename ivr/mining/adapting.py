"""Teaches a recogniser's encoder to hear dialects, together with the head that reads its phones.

A head alone can only read what an encoder for Mandarin and English has kept. Here the encoder's
upper layers are changed a little too (audio/adapter.py), so that what tells the phones of a
dialect apart reaches the head. Needs JAX, which nothing but this does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from audio.adapter import Change, cut, window
from audio.ctranslate import Weights
from audio.phones import Matrix, PhoneHead
from ivr.mining.encoder import Encoder
from ivr.mining.training import Labels

EPOCHS = 8
"""Times that each saying is heard, over one of its lines by chance."""
FROZEN = 2
"""Layers of the encoder, the lowest, that stay as they are."""
RANK = 32
BATCH = 16
RATE = 5e-4
"""Highest step of the optimiser; rises over the first steps and falls along a cosine."""
WARM_UP = 100
DECAY = 0.01
STEEPEST = 1.0
"""Length that slopes are cut to."""
SPREAD = 0.04
"""Of the first of two matrices at the start; the other is zero, so that nothing is changed yet."""
DROPPED, MASKED = 0.4, 0.2
"""Shares of the head's hidden units and of the states that are left out at each step."""
STRIPES, WIDEST = 2, 12
"""Stripes of bands, and as many of time, that are blotted out of each spectrogram, and how many
bands or frames they have (Park et al., "SpecAugment", 2019)."""
MIXED = 15.0
"""Frames by which lengths may differ for utterances to be learned together."""
EVERY = 50
"""Steps between two lines of progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A saying over one line: what is heard, and what it is."""

    mel: NDArray[np.floating]
    """Shape (bands, frames of 10 ms), the silence behind the speech included."""
    labels: Labels
    """The phone of each frame of 20 ms, by its number in the head."""


Batch = tuple[Matrix, Labels, Matrix]


def _blotted(mel: Matrix, frames: int, chance: np.random.Generator) -> Matrix:
    mel, mean = mel.copy(), mel[:, :frames].mean()
    for _ in range(STRIPES):
        wide = int(chance.integers(WIDEST))
        start = int(chance.integers(len(mel) - wide))
        mel[start : start + wide] = mean
        long = min(int(chance.integers(WIDEST)), frames - 1)
        start = int(chance.integers(frames - long))
        mel[:, start : start + long] = mean
    return mel


def _batch(lessons: Sequence[Lesson], chance: np.random.Generator) -> Batch:
    """Spectrograms, labels and how much each frame counts; always BATCH of them."""
    length = max(window(len(one.labels)) for one in lessons)
    mels = np.zeros((BATCH, len(lessons[0].mel), length), np.float32)
    labels = np.zeros((BATCH, length // 2), np.intp)
    counts = np.zeros((BATCH, length // 2), np.float32)
    for n, one in enumerate(lessons):
        heard = cut(np.asarray(one.mel, np.float32), length)
        mels[n] = _blotted(heard, 2 * len(one.labels), chance)
        labels[n, : len(one.labels)] = one.labels
        counts[n, : len(one.labels)] = 1
    return mels, labels, counts


def _batches(
    sayings: Sequence[Sequence[Lesson]], chance: np.random.Generator
) -> Iterator[Sequence[Lesson]]:
    """Each saying once, over one of its lines, with others about as long."""
    heard = [lines[int(chance.integers(len(lines)))] for lines in sayings]
    order = np.argsort([len(one.labels) + chance.uniform(0, MIXED) for one in heard])
    starts = range(0, len(heard), BATCH)
    for start in chance.permutation(np.asarray(starts)):
        yield [heard[n] for n in order[start : start + BATCH]]


def adapt(
    weights: Weights,
    head: PhoneHead,
    sayings: Sequence[Sequence[Lesson]],
    *,
    seed: int,
    epochs: int = EPOCHS,
    report: Callable[[str], None] = lambda line: None,
) -> PhoneHead:
    """The head and changes of the encoder with which it hears these sayings best.

    `weights` are those of the model that the head was trained on; each saying is given over one or
    more lines. Raises ValueError for a model that is none of Whisper's.
    """
    encoder = Encoder(weights)
    chance = np.random.default_rng(seed)
    changed = [name for layer in range(FROZEN, encoder.layers) for name in encoder.matrices(layer)]
    learned = {
        "up": {n: np.zeros((len(encoder.arrays[n]), RANK), np.float32) for n in changed},
        "down": {
            n: chance.normal(0, SPREAD, (RANK, encoder.arrays[n].shape[1])).astype(np.float32)
            for n in changed
        },
        "head": {
            name: getattr(head, name)
            for name in ("hidden_weights", "hidden_bias", "weights", "bias")
        },
    }
    steps = epochs * -(-len(sayings) // BATCH)
    rate = optax.warmup_cosine_decay_schedule(0, RATE, min(WARM_UP, steps // 2), steps, RATE / 50)
    optimiser = optax.chain(
        optax.clip_by_global_norm(STEEPEST), optax.adamw(rate, weight_decay=DECAY)
    )

    def loss(learned, arrays, mels, labels, counts, key):
        arrays = dict(arrays)
        for name in changed:
            arrays[name] = arrays[name] + learned["up"][name] @ learned["down"][name]
        states = encoder.states(arrays, mels, FROZEN)
        odds = jax.nn.log_softmax(_scores(head, learned["head"], states, key))
        told = jnp.take_along_axis(odds, labels[..., None], axis=-1)[..., 0]
        return -(told * counts).sum() / counts.sum()

    @jax.jit
    def step(learned, memory, arrays, mels, labels, counts, key):
        value, slopes = jax.value_and_grad(loss)(learned, arrays, mels, labels, counts, key)
        updates, memory = optimiser.update(slopes, memory, learned)
        return optax.apply_updates(learned, updates), memory, value

    memory = optimiser.init(learned)
    key = jax.random.PRNGKey(seed)
    losses: list[jax.Array] = []
    for epoch in range(1, epochs + 1):
        for lessons in _batches(sayings, chance):
            key, own = jax.random.split(key)
            learned, memory, value = step(
                learned, memory, encoder.arrays, *_batch(lessons, chance), own
            )
            losses.append(value)
            if len(losses) % EVERY == 0:
                mean = float(jnp.stack(losses[-EVERY:]).mean())
                report(f"adapting: {len(losses)} of {steps} steps, pass {epoch}, loss {mean:.3f}")
    return replace(
        head,
        **{name: np.asarray(array) for name, array in learned["head"].items()},
        changes={
            n: Change(np.asarray(learned["up"][n]), np.asarray(learned["down"][n])) for n in changed
        },
    )


def _scores(head: PhoneHead, arrays, states: jax.Array, key: jax.Array) -> jax.Array:
    """What the head makes of states, parts of it left out: `PhoneHead.hear` with slopes."""
    around = int(head.context)
    scaled = (states - head.mean) / head.scale
    padded = jnp.pad(scaled, ((0, 0), (around, around), (0, 0)), mode="edge")
    frames = states.shape[1]
    inputs = jnp.concatenate([padded[:, n : n + frames] for n in range(2 * around + 1)], axis=-1)
    first, second = jax.random.split(key)
    inputs = _thinned(inputs, MASKED, first)
    hidden = jax.nn.relu(inputs @ arrays["hidden_weights"] + arrays["hidden_bias"])
    return _thinned(hidden, DROPPED, second) @ arrays["weights"] + arrays["bias"]


def _thinned(x: jax.Array, share: float, key: jax.Array) -> jax.Array:
    kept = jax.random.bernoulli(key, 1 - share, x.shape)
    return x * kept / (1 - share)
