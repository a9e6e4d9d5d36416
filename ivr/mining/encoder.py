"""Whisper's encoder once more, in JAX: CTranslate2 runs it but tells no slopes to learn by.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 2.2; the
names of the weights are CTranslate2's.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from audio.ctranslate import Weights

Arrays = Mapping[str, jax.Array]

_EPSILON = 1e-5
_SCOPE = "encoder/"


class Encoder:
    """The weights of a Whisper model's encoder, and what is computed with them."""

    def __init__(self, weights: Weights) -> None:
        """Raises ValueError for another kind of model."""
        arrays = {n: a for n, a in weights.arrays.items() if n.startswith(_SCOPE)}
        if not arrays or any(a.dtype.kind != "f" for a in arrays.values() if a.ndim > 1):
            raise ValueError(f"no encoder of Whisper in half or full precision: {weights.spec}")
        self.heads = int(arrays.pop(f"{_SCOPE}num_heads"))
        self.arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
        self.layers = 1 + max(
            int(name.split("/")[1].removeprefix("layer_"))
            for name in self.arrays
            if name.startswith(f"{_SCOPE}layer_") and name.split("/")[1] != "layer_norm"
        )

    def matrices(self, layer: int) -> list[str]:
        """The names of those of a layer that are multiplied with what it is given."""
        return [
            f"{_SCOPE}layer_{layer}/{part}/weight"
            for part in (
                "self_attention/linear_0", "self_attention/linear_1",
                "ffn/linear_0", "ffn/linear_1",
            )
        ]  # fmt: skip

    def states(self, arrays: Arrays, mel: jax.Array, frozen: int) -> jax.Array:
        """Of spectrograms of shape (utterances, bands, frames of 10 ms), with these arrays.

        Shape (utterances, frames of 20 ms, dimension). Nothing is learned below layer `frozen`.
        """
        x = jax.nn.gelu(_convolved(arrays, "conv1", mel, 1), approximate=False)
        x = jax.nn.gelu(_convolved(arrays, "conv2", x, 2), approximate=False)
        x = x.transpose(0, 2, 1)
        x = x + arrays[f"{_SCOPE}position_encodings/encodings"][: x.shape[1]]
        for layer in range(self.layers):
            if layer == frozen:
                x = jax.lax.stop_gradient(x)
            x = self._layer(arrays, f"{_SCOPE}layer_{layer}", x)
        return _normed(arrays, f"{_SCOPE}layer_norm", x)

    def _layer(self, arrays: Arrays, name: str, x: jax.Array) -> jax.Array:
        attention, ffn = f"{name}/self_attention", f"{name}/ffn"
        x = x + self._attended(arrays, attention, _normed(arrays, f"{attention}/layer_norm", x))
        hidden = _linear(arrays, f"{ffn}/linear_0", _normed(arrays, f"{ffn}/layer_norm", x))
        return x + _linear(arrays, f"{ffn}/linear_1", jax.nn.gelu(hidden, approximate=False))

    def _attended(self, arrays: Arrays, name: str, x: jax.Array) -> jax.Array:
        utterances, frames, dimension = x.shape
        size = dimension // self.heads
        three = _linear(arrays, f"{name}/linear_0", x)
        asked, keys, values = jnp.moveaxis(
            three.reshape(utterances, frames, 3, self.heads, size), 2, 0
        )
        alike = jnp.einsum("uqhd,ukhd->uhqk", asked, keys) * size**-0.5
        mixed = jnp.einsum("uhqk,ukhd->uqhd", jax.nn.softmax(alike, axis=-1), values)
        return _linear(arrays, f"{name}/linear_1", mixed.reshape(x.shape))


def _convolved(arrays: Arrays, name: str, x: jax.Array, stride: int) -> jax.Array:
    weight, bias = arrays[f"{_SCOPE}{name}/weight"], arrays[f"{_SCOPE}{name}/bias"]
    return jax.lax.conv_general_dilated(x, weight, (stride,), [(1, 1)]) + bias[:, None]


def _linear(arrays: Arrays, name: str, x: jax.Array) -> jax.Array:
    return x @ arrays[f"{name}/weight"].T + arrays[f"{name}/bias"]


def _normed(arrays: Arrays, name: str, x: jax.Array) -> jax.Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
    return centred * spread * arrays[f"{name}/gamma"] + arrays[f"{name}/beta"]
