"""The convolutional encoder, written as one matrix product per image row.

A convolution with per-agent kernels is slow in XLA on a CPU once it is vmapped or differentiated inside a scan. A row of the
output depends on three rows of the input by a banded matrix that holds the kernel, so one dense product gives the same numbers
at several times the speed; gradients flow back through the construction of the band.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn


class ConvEncoder(nn.Module):
    """3 x 3 convolution, stride 1, no padding, ReLU, flattened in (row, column, channel) order."""

    channels: int

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Encode ``u8[..., H, W, C]`` into ``f32[..., (H-2) * (W-2) * channels]``."""
        *batch, height, width, depth = observation.shape
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (3, 3, depth, self.channels))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,))
        pixels = observation.reshape(*batch, height, width * depth).astype(jnp.float32) / 255.0
        rows = jnp.concatenate([pixels[..., i : height - 2 + i, :] for i in range(3)], axis=-1)
        features = rows @ banded(kernel, width) + jnp.tile(bias, width - 2)
        return nn.relu(features).reshape(*batch, -1)


def banded(kernel: jax.Array, width: int) -> jax.Array:
    """Lay a kernel ``f32[3,3,C,O]`` out as ``f32[3 * width * C, (width - 2) * O]``: three input rows to one output row."""
    offset = np.arange(width)[:, None] - np.arange(width - 2)
    place = jnp.asarray(offset[..., None] == np.arange(3), jnp.float32)  # [input column, output column, kernel column]
    band = jnp.einsum("wvx,yxco->ywcvo", place, kernel)
    return band.reshape(3 * width * kernel.shape[2], -1)
