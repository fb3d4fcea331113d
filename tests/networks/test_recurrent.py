"""The recurrent core against an LSTM written in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.networks.recurrent import (
    Carry,
    SymbolicLSTM,
    Weights,
    reset_carry,
    step_gates,
    step_gates_with_each,
    unroll,
)
from tests.networks.worlds import network, random_params


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
    params = random_params(functions)
    keys = jax.random.split(jax.random.key(1), 4)
    carry = Carry(*(jax.random.normal(k, (7,)) for k in keys[:2]))
    features, context = jax.random.normal(keys[2], (5,)), jnp.array([3, -1])

    @jax.jit
    def found(context):
        gates = functions.precompute(params, "policy", carry, features)
        stepped, gates, heads = functions.resolve(params, "policy", carry, gates, context)
        answers = [functions.alternatives(params, "policy", carry, gates, context[i], i)["action"] for i in range(2)]
        return stepped, heads, answers

    stepped, heads, answers = found(context)

    def expected(symbols):
        hidden, cell = numpy_step(params["policy"]["core"], features, symbols, carry.hidden, carry.cell, 2, 4)
        return hidden, cell, hidden @ np.asarray(params["action_head"]["kernel"]) + params["action_head"]["bias"]

    hidden, cell, logits = expected([3, -1])
    np.testing.assert_allclose(stepped.hidden, hidden, atol=1e-5)
    np.testing.assert_allclose(stepped.cell, cell, atol=1e-5)
    np.testing.assert_allclose(heads["action"], logits, atol=1e-5)
    for block, alternatives in enumerate(answers):
        for symbol in range(4):
            symbols = [symbol if b == block else int(context[b]) for b in range(2)]
            np.testing.assert_allclose(alternatives[symbol], expected(symbols)[2], atol=2e-5)


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


def test_bad_symbol_is_the_zero_vector():
    functions = network(num_actions=4, context_symbols=4, context_blocks=1)
    params = random_params(functions)
    carry, features = SymbolicLSTM.zero_carry((), 7), jnp.ones(5)
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
