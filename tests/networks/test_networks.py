"""The network against XLA's own convolution, an LSTM written in NumPy, and the sizes that the paper's layers imply."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import NetworkConfig
from influence_jax.networks import agent
from influence_jax.networks.agent import AgentNetwork, NetworkFunctions
from influence_jax.networks.encoder import ConvEncoder
from influence_jax.networks.matmul import matmul
from influence_jax.networks.recurrent import (
    Carry,
    Weights,
    reset_carry,
    step_gates,
    step_gates_with_each,
    unroll,
    zero_carry,
)
from influence_jax.types import NetworkSpec

pytestmark = pytest.mark.usefixtures("compile_quickly")

SMALL = NetworkConfig(conv_channels=2, hidden_size=5, lstm_size=7)


def network(sizes=SMALL, **spec) -> NetworkFunctions:
    return NetworkFunctions(AgentNetwork(sizes, NetworkSpec(**spec)))


def louder(params, seed=0):
    """Parameters of order one everywhere, biases included, so that no test passes because something is zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return tree.unflatten([0.5 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])


@pytest.mark.parametrize("shape", [(15, 15, 3), (3, 3, 3), (7, 5, 2)])
def test_encoder_is_a_convolution(shape):
    encoder = ConvEncoder(4)
    images = jax.random.randint(jax.random.key(0), (6, *shape), 0, 256).astype(jnp.uint8)
    params = louder(encoder.init(jax.random.key(1), images)["params"])

    def by_xla(params):
        layout = ("NHWC", "HWIO", "NHWC")
        out = jax.lax.conv_general_dilated(images / 255.0, params["kernel"], (1, 1), "VALID", dimension_numbers=layout)
        return jax.nn.relu(out + params["bias"]).reshape(6, -1)

    def ours(params):
        return encoder.apply({"params": params}, images)

    np.testing.assert_allclose(ours(params), by_xla(params), atol=1e-5)
    gradients = (jax.grad(lambda p, f=f: jnp.sum(jnp.sin(f(p))))(params) for f in (ours, by_xla))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), *gradients)


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"num_actions": 9}, 117_426),
        ({"num_actions": 8}, 117_297),
        ({"num_actions": 9, "context_symbols": 9, "context_blocks": 4}, 135_858),
        ({"num_actions": 8, "context_symbols": 8, "context_blocks": 4}, 133_681),
        # The core that hears 5 messages of 9 (140,466), and its heads: 128 -> 32 -> 9, 128 -> 1.
        (
            {"num_actions": 9, "context_symbols": 9, "context_blocks": 5, "num_messages": 9},
            140_466 + 129 * 32 + 33 * 9 + 129,
        ),
        ({"num_actions": 9, "context_symbols": 9, "context_blocks": 4, "moa_targets": 4}, 279_510),
        ({"num_actions": 8, "context_symbols": 8, "context_blocks": 4, "moa_targets": 4}, 274_257),
    ],
)
def test_parameter_counts_of_the_papers_networks(spec, count):
    params = jax.eval_shape(lambda: network(NetworkConfig(), **spec).init(jax.random.key(0), (15, 15, 3)))
    assert sum(np.prod(x.shape) for x in jax.tree.leaves(params)) == count


def numpy_step(core, features, symbols, hidden, cell, blocks, actions):
    """One LSTM step from the definition, in double precision."""
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    one_hot = np.zeros((blocks, actions))
    for block, symbol in enumerate(symbols):
        if symbol >= 0:
            one_hot[block, symbol] = 1
    core = jax.tree.map(lambda x: np.asarray(x, np.float64), core)
    gates = (
        np.concatenate([features, one_hot.ravel()]) @ core["input_kernel"]
        + hidden @ core["recurrent_kernel"]
        + core["bias"]
    )
    i, f, g, o = np.split(gates, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def test_core_is_an_lstm_and_every_alternative_a_naive_rerun():
    functions = network(num_actions=4, context_symbols=4, context_blocks=2, moa_targets=2)
    params = louder(functions.init(jax.random.key(0), (5, 5, 3)))
    keys = jax.random.split(jax.random.key(1), 4)
    carry = Carry(*(jax.random.normal(k, (7,)) for k in keys[:2]))
    features, context = jax.random.normal(keys[2], (5,)), jnp.array([3, -1])
    gates = functions.precompute(params, "policy", carry, features)
    stepped, gates, heads = functions.resolve(params, "policy", carry, gates, context)

    def expected(symbols):
        hidden, cell = numpy_step(params["policy"]["core"], features, symbols, carry.hidden, carry.cell, 2, 4)
        return hidden, cell, hidden @ np.asarray(params["action_head"]["kernel"]) + params["action_head"]["bias"]

    hidden, cell, logits = expected([3, -1])
    np.testing.assert_allclose(stepped.hidden, hidden, atol=1e-5)
    np.testing.assert_allclose(stepped.cell, cell, atol=1e-5)
    np.testing.assert_allclose(heads["action"], logits, atol=1e-5)
    for block in range(2):
        alternatives = functions.alternatives(params, "policy", carry, gates, context[block], block)["action"]
        for symbol in range(4):
            symbols = [symbol if b == block else int(context[b]) for b in range(2)]
            np.testing.assert_allclose(alternatives[symbol], expected(symbols)[2], atol=2e-5)


def test_unroll_is_the_steps_one_by_one_and_forgets_at_first():
    functions = network(num_actions=4, context_symbols=4, context_blocks=2)
    params = louder(functions.init(jax.random.key(0), (5, 5, 3)))
    keys = jax.random.split(jax.random.key(1), 3)
    features = jax.random.normal(keys[0], (6, 3, 5))
    context = jax.random.randint(keys[1], (6, 3, 2), -1, 4)
    first = jnp.zeros((6, 3), bool).at[2, 1].set(True)
    carry = Carry(*(jax.random.normal(keys[2], (2, 3, 7))))
    unrolled = functions.unroll(params, "policy", carry, features, context, first)
    for t in range(6):
        zero = zero_carry((3, 7))
        carry = jax.tree.map(lambda c, z, t=t: jnp.where(first[t][:, None], z, c), carry, zero)
        gates = functions.precompute(params, "policy", carry, features[t])
        carry, _, heads = functions.resolve(params, "policy", carry, gates, context[t])
        np.testing.assert_allclose(unrolled["action"][t], heads["action"], atol=1e-5)
        np.testing.assert_allclose(unrolled["action_value"][t], heads["action_value"], atol=1e-5)


def test_gradient_of_the_unroll_is_that_of_its_steps():
    """Written by hand, against what JAX derives from the steps; with and without the states being cached."""
    keys = jax.random.split(jax.random.key(0), 7)
    weights = Weights(
        0.5 * jax.random.normal(keys[0], (5 + 8, 28)),
        0.5 * jax.random.normal(keys[1], (7, 28)),
        jax.random.normal(keys[2], (28,)),
    )
    features = jax.random.normal(keys[3], (6, 3, 5))
    symbols = jax.nn.one_hot(jax.random.randint(keys[4], (6, 3), -1, 8), 8)
    first = jnp.zeros((6, 3), bool).at[2, 1].set(True).at[0, 2].set(True)
    carry = Carry(*(jax.random.normal(keys[5], (2, 3, 7))))
    direction = jax.random.normal(keys[6], (6, 3, 7))

    def steps(weights, carry, features):
        states = []
        for t in range(6):
            carry = reset_carry(carry, first[t])
            inputs = jnp.concatenate([features[t], symbols[t]], axis=-1) @ weights.input_kernel
            carry = step_gates(carry, inputs + carry.hidden @ weights.recurrent_kernel + weights.bias)
            states.append(carry)
        return jax.tree.map(lambda *x: jnp.stack(x), *states)

    def gradients(run):
        return jax.jit(jax.grad(lambda *x: jnp.sum(direction * run(*x)), argnums=(0, 1, 2)))(weights, carry, features)

    expected = gradients(lambda *x: steps(*x).hidden)
    for cached in (None, steps(weights, carry, features)):
        found = gradients(lambda *x, cached=cached: unroll("float32", *x, symbols, first, cached))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), found, expected)


@pytest.mark.parametrize("limit", [2, 8, 100])
def test_observations_are_encoded_in_pieces(limit, monkeypatch):
    """Eighteen observations by pairs, by sixes, and all at once."""
    monkeypatch.setitem(agent.OBSERVATIONS_AT_A_TIME, jax.default_backend(), limit)
    assert agent.num_pieces(18) == {2: 9, 8: 3, 100: 1}[limit] and agent.num_pieces(1) == 1
    functions = network(num_actions=4, moa_targets=2)
    params = louder(functions.init(jax.random.key(0), (5, 5, 3)))
    images = jax.random.randint(jax.random.key(1), (6, 3, 5, 5, 3), 0, 256).astype(jnp.uint8)
    weights = jnp.arange(6.0)[:, None, None]  # every step counts otherwise

    def features_and_gradient(encode):
        def total(params):
            features = encode(params, images)
            return sum(jnp.sum(weights * jnp.sin(x)) for x in features.values()), features

        return jax.jit(jax.grad(total, has_aux=True))(params)

    def whole(params, images):
        return functions.module.apply({"params": params}, images, method="encode")

    found, expected = features_and_gradient(functions.encode), features_and_gradient(whole)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4), found, expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_product_rounds_its_factors_and_nothing_else(precision):
    x, kernel, d = (
        jax.random.normal(k, s) for k, s in zip(jax.random.split(jax.random.key(0), 3), SHAPES, strict=True)
    )
    outcome, pull_back = jax.vjp(lambda x, kernel: matmul(x, kernel, precision), x, kernel)
    rounded = [np.asarray(y.astype(precision), np.float64) for y in (x, kernel, d)]
    expected = rounded[0] @ rounded[1], rounded[2] @ rounded[1].T, np.einsum("abk,abm->km", rounded[0], rounded[2])
    for found, exact in zip((outcome, *pull_back(d)), expected, strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, exact, atol=2e-5)


SHAPES = (2, 3, 40), (40, 7), (2, 3, 7)


def test_every_product_of_the_network_can_be_bfloat16():
    """Outputs then move by about 2^-8 of their size, and every parameter's gradient with them."""
    images = jax.random.randint(jax.random.key(1), (6, 3, 5, 5, 3), 0, 256).astype(jnp.uint8)
    context, first = jnp.zeros((6, 3, 2), jnp.int32), jnp.zeros((6, 3), bool)

    def loss_and_gradient(precision):
        sizes = dataclasses.replace(SMALL, precision=precision)
        functions = network(sizes, num_actions=4, context_symbols=4, context_blocks=2)
        params = louder(functions.init(jax.random.key(0), (5, 5, 3)))

        def loss(params):
            features = functions.encode(params, images)["policy"]
            heads = functions.unroll(params, "policy", zero_carry((3, 7)), features, context, first)
            return sum(jnp.sum(jnp.sin(x)) for x in heads.values())

        return jax.jit(jax.value_and_grad(loss))(params)

    exact, rounded = loss_and_gradient("float32"), loss_and_gradient("bfloat16")
    for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(rounded), strict=True):
        distance = np.abs(a - b).max() / np.abs(a).max()
        assert 1e-5 < distance < 0.1


def test_bad_symbol_is_the_zero_vector():
    functions = network(num_actions=4, context_symbols=4, context_blocks=1)
    params = louder(functions.init(jax.random.key(0), (5, 5, 3)))
    carry, features = zero_carry((7,)), jnp.ones(5)
    gates = functions.precompute(params, "policy", carry, features)
    _, resolved, _ = functions.resolve(params, "policy", carry, gates, jnp.array([-1]))
    np.testing.assert_array_equal(gates, resolved)


@pytest.mark.parametrize(("size", "row_size"), [(1e-3, 1e-3), (1.0, 1.0), (8.0, 8.0), (300.0, 1.0), (1.0, 300.0)])
def test_factored_exponentials_are_the_lstm(size, row_size):
    """Small, ordinary, large, and saturated far beyond what float32 can exponentiate."""
    gates = size * jax.random.normal(jax.random.key(0), (7, 4 * 8))
    rows = row_size * jax.random.normal(jax.random.key(1), (9, 4 * 8))
    carry = Carry(*jax.random.normal(jax.random.key(2), (2, 7, 8)))
    naive = step_gates(jax.tree.map(lambda x: x[:, None], carry), gates[:, None] + rows).hidden
    np.testing.assert_allclose(step_gates_with_each(carry, gates, rows), naive, atol=2e-6)
