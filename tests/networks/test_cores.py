"""Cores other than the LSTM: flax's GRU, a dense layer, and alternatives against naive reruns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from influence_jax.networks.agent import NETWORKS
from influence_jax.networks.recurrent import Carry
from influence_jax.types import NetworkSpec
from tests.networks.worlds import SMALL, louder

BLOCKS, SYMBOLS, FEATURES, SIZE = 2, 4, SMALL.hidden_size, SMALL.core_size


def flax_gru(core, inputs, hidden):
    """One step of flax's own GRU with our parameters."""
    names = ("r", "z", "n")
    inputs_of = {f"i{n}": {"kernel": k} for n, k in zip(names, jnp.split(core["input_kernel"], 3, axis=1), strict=True)}
    keeps = {f"h{n}": {"kernel": k} for n, k in zip(names, jnp.split(core["recurrent_kernel"], 3, axis=1), strict=True)}
    for name, bias in zip(names, jnp.split(core["bias"], 3), strict=True):
        inputs_of[f"i{name}"]["bias"] = bias
    keeps["hn"]["bias"] = core["recurrent_bias"]
    return nn.GRUCell(SIZE).apply({"params": inputs_of | keeps}, hidden, inputs)[0]


def dense_tanh(core, inputs, hidden):
    """A layer that forgets ``hidden``."""
    return jnp.tanh(inputs @ core["input_kernel"] + core["bias"])


@pytest.mark.parametrize(("name", "step"), [("gru", flax_gru), ("feedforward", dense_tanh)])
def test_core_is_the_textbooks_and_every_alternative_a_naive_rerun(name, step):
    functions = NETWORKS[name](NetworkSpec(num_actions=SYMBOLS, context_symbols=SYMBOLS, context_blocks=BLOCKS), SMALL)
    params = louder(functions.init(jax.random.key(0), (5, 5, 3)))
    keys = jax.random.split(jax.random.key(1), 2)
    carry = Carry(hidden=jax.random.normal(keys[0], (SIZE,)), cell=jnp.zeros(0))
    features, context = jax.random.normal(keys[1], (FEATURES,)), [3, -1]
    gates = functions.precompute(params, "policy", carry, features)
    stepped, gates, heads = functions.resolve(params, "policy", carry, gates, jnp.array(context))

    def expected(symbols):
        one_hot = jnp.zeros((BLOCKS, SYMBOLS))
        for block, symbol in enumerate(symbols):
            one_hot = one_hot.at[block, symbol].set(1.0) if symbol >= 0 else one_hot
        inputs = jnp.concatenate([features, one_hot.ravel()])
        return step(params["policy"]["core"], inputs, carry.hidden)

    def logits(hidden):
        return hidden @ params["action_head"]["kernel"] + params["action_head"]["bias"]

    np.testing.assert_allclose(stepped.hidden, expected(context), atol=1e-5)
    np.testing.assert_allclose(heads["action"], logits(expected(context)), atol=1e-5)
    for block in range(BLOCKS):
        alternatives = functions.alternatives(params, "policy", carry, gates, jnp.int32(context[block]), block)
        for symbol in range(SYMBOLS):
            symbols = [symbol if b == block else context[b] for b in range(BLOCKS)]
            np.testing.assert_allclose(alternatives["action"][symbol], logits(expected(symbols)), atol=1e-5)
