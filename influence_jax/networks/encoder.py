"""The convolutional encoder, written as matrix products of image rows with bands.

A convolution with per-agent kernels is slow in XLA on a CPU once it is vmapped or differentiated inside a scan. A row of the
output depends on three rows of the input by a banded matrix that holds the kernel, so dense products give the same numbers at
several times the speed; gradients flow back through the construction of the band. A narrower band multiplies fewer zeros, and a
wider one makes fewer and larger products: `BAND` is the width that is fastest (benchmarks/encoder.py).
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from influence_jax.fusion import fusion_boundary
from influence_jax.networks.matmul import matmul

BAND = 7  # output columns of one product


class ConvEncoder(nn.Module):
    """3 x 3 convolution, stride 1, no padding, ReLU, flattened in (row, column, channel) order."""

    channels: int
    precision: str = "float32"
    band: int = BAND

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Encode ``u8[..., H, W, C]`` into ``f32[..., (H-2) * (W-2) * channels]``."""
        *batch, height, width, depth = observation.shape
        weights = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, depth, self.channels), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,), jnp.float32)
        rows = threes_of_rows(observation).reshape(*batch, height - 2, width * 3 * depth).astype(jnp.float32)
        features = []
        for columns in np.array_split(np.arange(width - 2), -(-(width - 2) // self.band)):
            seen = slice(columns[0] * 3 * depth, (columns[-1] + 3) * 3 * depth)
            response = matmul(rows[..., seen], banded(weights / 255.0, len(columns)), self.precision)
            features.append(nn.relu(response + jnp.tile(bias, len(columns))))
        return jnp.concatenate(features, axis=-1).reshape(*batch, -1)


@fusion_boundary
def threes_of_rows(observation: jax.Array) -> jax.Array:
    """Return u8[..., H-2, W, 3, C]: of ``observation u8[..., H, W, C]`` each row and the two below it, side by side."""
    return jnp.stack([observation[..., i : observation.shape[-3] - 2 + i, :, :] for i in range(3)], axis=-2)


def banded(kernel: jax.Array, width: int) -> jax.Array:
    """Lay a kernel ``f32[3,3,C,O]`` out for ``width`` output columns: ``f32[(width + 2) * 3 * C, width * O]``.

    The input is in (column, kernel row, channel) order, the output in (column, channel) order.
    """
    offset = np.arange(width + 2)[:, None] - np.arange(width)
    place = jnp.asarray(offset[..., None] == np.arange(3), jnp.float32)  # [input column, output column, kernel column]
    band = jnp.einsum("wvx,yxco->wycvo", place, kernel)
    return band.reshape(-1, width * kernel.shape[3])
