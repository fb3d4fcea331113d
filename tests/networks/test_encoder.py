"""The encoder against XLA's own convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.networks.encoder import ConvEncoder
from tests.networks.worlds import louder


@pytest.mark.parametrize("shape", [(15, 15, 3), (3, 3, 3), (7, 5, 2)])
def test_encoder_is_a_convolution(shape):
    encoder = ConvEncoder(4)
    images = jax.random.randint(jax.random.key(0), (6, *shape), 0, 256).astype(jnp.uint8)
    params = louder(jax.eval_shape(encoder.init, jax.random.key(1), images)["params"])

    def by_xla(params):
        layout = ("NHWC", "HWIO", "NHWC")
        out = jax.lax.conv_general_dilated(images / 255.0, params["kernel"], (1, 1), "VALID", dimension_numbers=layout)
        return jax.nn.relu(out + params["bias"]).reshape(6, -1)

    def ours(params):
        return encoder.apply({"params": params}, images)

    np.testing.assert_allclose(jax.jit(ours)(params), jax.jit(by_xla)(params), atol=1e-5)
    gradients = (jax.jit(jax.grad(lambda p, f=f: jnp.sum(jnp.sin(f(p)))))(params) for f in (ours, by_xla))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), *gradients)
