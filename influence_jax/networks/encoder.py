"""The convolutional encoder: a convolution on a TPU, elsewhere matrix products of image rows with banded matrices.

XLA on a CPU is slow at convolutions with per-agent kernels once they are vmapped or differentiated inside a scan. A row of the
output depends on three rows of the input through a banded matrix made from the kernel, so dense products give the same numbers
several times as fast, and gradients flow back through the construction of the band. A narrower band multiplies fewer zeros; a
wider one makes fewer and larger products. `BAND` is the fastest width on a CPU, `WIDE_BAND` on a GPU (benchmarks/encoder.py).
The compiler for TPUs is fastest with the convolution itself (benchmarks/NOTES.md).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from influence_jax.fusion import fusion_boundary
from influence_jax.networks.matmul import matmul
from influence_jax.platforms import by_platform

BAND = 7  # output columns of one product
WIDE_BAND = 13


class ConvEncoder(nn.Module):
    """3 x 3 convolution, stride 1, no padding, ReLU, flattened in (row, column, channel) order."""

    channels: int
    precision: str = "float32"
    band: int | None = None  # None: the fastest for the platform

    @nn.compact
    def __call__(self, observation: jax.Array) -> jax.Array:
        """Encode ``u8[..., H, W, C]`` into ``f32[..., (H-2) * (W-2) * channels]``."""
        depth = observation.shape[-1]
        weights = self.param("kernel", nn.initializers.he_normal(), (3, 3, depth, self.channels), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.channels,), jnp.float32)
        bands = functools.partial(banded_products, precision=self.precision)
        ways = {
            "tpu": functools.partial(convolution, precision=self.precision),
            "cuda": functools.partial(bands, band=self.band or WIDE_BAND),
            "default": functools.partial(bands, band=self.band or BAND),
        }
        response = by_platform(observation, weights / 255.0, **ways)
        return nn.relu(response + bias).reshape(*observation.shape[:-3], -1)


def convolution(observation: jax.Array, kernel: jax.Array, precision: str) -> jax.Array:
    """Return f32[..., H-2, W-2, O], the convolution of ``observation u8[..., H, W, C]`` with ``kernel f32[3,3,C,O]``."""
    images = observation.reshape(-1, *observation.shape[-3:]).astype(precision)
    layout = ("NHWC", "HWIO", "NHWC")
    response = jax.lax.conv_general_dilated(images, kernel.astype(precision), (1, 1), "VALID", dimension_numbers=layout)
    return response.astype(jnp.float32).reshape(*observation.shape[:-3], *response.shape[1:])


def banded_products(observation: jax.Array, kernel: jax.Array, band: int, precision: str) -> jax.Array:
    """Compute `convolution` by products with banded matrices of ``band`` output columns."""
    *batch, height, width, depth = observation.shape
    rows = threes_of_rows(observation).reshape(*batch, height - 2, width * 3 * depth).astype(jnp.float32)
    parts = []
    for columns in np.array_split(np.arange(width - 2), -(-(width - 2) // band)):
        seen = slice(columns[0] * 3 * depth, (columns[-1] + 3) * 3 * depth)
        parts.append(matmul(rows[..., seen], banded(kernel, len(columns)), precision))
    return jnp.concatenate(parts, axis=-1).reshape(*batch, height - 2, width - 2, -1)


@fusion_boundary
def threes_of_rows(observation: jax.Array) -> jax.Array:
    """Return u8[..., H-2, W, 3, C]: each row of ``observation u8[..., H, W, C]`` next to the two rows below it."""
    return jnp.stack([observation[..., i : observation.shape[-3] - 2 + i, :, :] for i in range(3)], axis=-2)


def banded(kernel: jax.Array, width: int) -> jax.Array:
    """Return the banded matrix ``f32[(width + 2) * 3 * C, width * O]`` of a kernel ``f32[3,3,C,O]`` for ``width`` output columns.

    Its input is in (column, kernel row, channel) order, its output in (column, channel) order.
    """
    offset = np.arange(width + 2)[:, None] - np.arange(width)
    # [input column, kernel row, channel, output column, output channel]; no matrix product, whose inner length would be 3.
    bands = (
        jnp.where((offset == x)[:, None, None, :, None], kernel[None, :, x, :, None, :], jnp.float32(0))
        for x in range(3)
    )
    band = sum(bands, start=jnp.float32(0))
    return band.reshape(-1, width * kernel.shape[3])
