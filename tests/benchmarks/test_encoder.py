"""``python -m benchmarks encoder``: every form gives the same numbers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import encoder
from influence_jax.networks.encoder import ConvEncoder
from tests.bench.answers import answer


@pytest.mark.slow
def test_every_way_to_encode_gives_the_same(tmp_path):
    views = jax.random.randint(jax.random.key(0), (3, *encoder.VIEW), 0, 256, jnp.uint8)
    params = ConvEncoder(encoder.CHANNELS).init(jax.random.key(1), views)["params"]
    params["bias"] = 0.1 * jax.random.normal(jax.random.key(2), params["bias"].shape)
    expected = encoder.convolution(params, views)
    for way in (encoder.sum_of_slices, *(functools.partial(encoder.bands, width) for width in (3, 7, 13))):
        np.testing.assert_allclose(way(params, views), expected, atol=1e-5)
    rows = answer(encoder, tmp_path)["rows"]
    assert len(rows) == 6 and all(row["fraction_of_limit"] > 0 for row in rows)
