"""Cores other than the LSTM: flax's GRU, a dense layer, and alternatives against naive reruns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from influence_jax.networks.agent import NETWORKS
from influence_jax.networks.recurrent import Carry
from influence_jax.types import NetworkSpec
from tests.networks.worlds import SMALL, random_params

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
    params = random_params(functions)
    keys = jax.random.split(jax.random.key(1), 2)
    carry = Carry(hidden=jax.random.normal(keys[0], (SIZE,)), cell=jnp.zeros(0))
    features, context = jax.random.normal(keys[1], (FEATURES,)), [3, -1]

    @jax.jit
    def found(context):
        gates = functions.precompute(params, "policy", carry, features)
        stepped, gates, heads = functions.resolve(params, "policy", carry, gates, context)
        alternatives = [
            functions.alternatives(params, "policy", carry, gates, context[block], block)["action"]
            for block in range(BLOCKS)
        ]
        return (stepped.hidden, heads["action"]), alternatives

    @jax.jit
    def expected(symbols):
        one_hot = (symbols[:, None] == jnp.arange(SYMBOLS)).astype(jnp.float32)
        hidden = step(params["policy"]["core"], jnp.concatenate([features, one_hot.ravel()]), carry.hidden)
        return hidden, hidden @ params["action_head"]["kernel"] + params["action_head"]["bias"]

    taken, alternatives = found(jnp.array(context))
    for ours, textbook in zip(taken, expected(jnp.array(context)), strict=True):
        np.testing.assert_allclose(ours, textbook, atol=1e-5)
    for block in range(BLOCKS):
        for symbol in range(SYMBOLS):
            symbols = [symbol if b == block else context[b] for b in range(BLOCKS)]
            np.testing.assert_allclose(alternatives[block][symbol], expected(jnp.array(symbols))[1], atol=1e-5)
