"""One agent's network: its sizes as in the paper, and the same results in pieces and all at once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import presets
from influence_jax.networks import agent
from influence_jax.networks.recurrent import SymbolicLSTM
from influence_jax.types import NetworkSpec
from tests.networks.worlds import SMALL, network, random_params

PAPER = presets.get("harvest-a3c", "paper").network


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
    params = jax.eval_shape(lambda: network(PAPER, **spec).init(jax.random.key(0), (15, 15, 3)))
    assert sum(np.prod(x.shape) for x in jax.tree.leaves(params)) == count


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("core", agent.NETWORKS)
def test_unroll_is_the_steps_one_by_one_and_forgets_at_first(core, precision):
    sizes = dataclasses.replace(SMALL, precision=precision)
    functions = agent.NETWORKS[core](NetworkSpec(num_actions=4, context_symbols=4, context_blocks=2), sizes)
    params = random_params(functions)
    keys = jax.random.split(jax.random.key(1), 3)
    features = jax.random.normal(keys[0], (6, 3, 5))
    context = jax.random.randint(keys[1], (6, 3, 2), -1, 4)
    first = jnp.zeros((6, 3), bool).at[2, 1].set(True)
    start = functions.zero_carry((3,))["policy"]
    carry = jax.tree.map(lambda x: jax.random.normal(keys[2], x.shape), start)
    unrolled = jax.jit(lambda *inputs: functions.unroll(params, "policy", *inputs))(carry, features, context, first)

    @jax.jit
    def step(carry, features, context, first):
        carry = jax.tree.map(lambda c, z: jnp.where(first[:, None], z, c), carry, start)
        gates = functions.precompute(params, "policy", carry, features)
        carry, _, heads = functions.resolve(params, "policy", carry, gates, context)
        return carry, heads

    for t in range(6):
        carry, heads = step(carry, features[t], context[t], first[t])
        np.testing.assert_allclose(unrolled["action"][t], heads["action"], atol=1e-5)
        np.testing.assert_allclose(unrolled["action_value"][t], heads["action_value"], atol=1e-5)


@pytest.mark.parametrize("limit", [2, 8, 100])
def test_observations_are_encoded_in_pieces(limit, monkeypatch):
    """Eighteen observations by pairs, by sixes, and all at once."""
    monkeypatch.setattr(agent, "OBSERVATIONS_AT_A_TIME", limit)
    assert agent.num_pieces(18) == {2: 9, 8: 3, 100: 1}[limit] and agent.num_pieces(1) == 1
    functions = network(num_actions=4, moa_targets=2)
    params = random_params(functions)
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


def test_every_product_of_the_network_can_be_bfloat16():
    """Outputs then move by about 2^-8 of their size, and every parameter's gradient with them."""
    images = jax.random.randint(jax.random.key(1), (6, 3, 5, 5, 3), 0, 256).astype(jnp.uint8)
    context, first = jnp.zeros((6, 3, 2), jnp.int32), jnp.zeros((6, 3), bool)

    def loss_and_gradient(precision):
        sizes = dataclasses.replace(SMALL, precision=precision)
        functions = network(sizes, num_actions=4, context_symbols=4, context_blocks=2)
        params = random_params(functions)

        def loss(params):
            features = functions.encode(params, images)["policy"]
            heads = functions.unroll(params, "policy", SymbolicLSTM.zero_carry((3,), 7), features, context, first)
            return sum(jnp.sum(jnp.sin(x)) for x in heads.values())

        return jax.jit(jax.value_and_grad(loss))(params)

    exact, rounded = loss_and_gradient("float32"), loss_and_gradient("bfloat16")
    for a, b in zip(jax.tree.leaves(exact), jax.tree.leaves(rounded), strict=True):
        distance = np.abs(a - b).max() / np.abs(a).max()
        assert 1e-5 < distance < 0.1


@pytest.mark.parametrize(
    ("critic", "reached"),
    [
        ("shared", {"encoder", "policy", "value_head"}),
        ("separate", {"critic", "value_head"}),
    ],
)
def test_how_far_the_gradient_of_a_value_reaches(critic, reached):
    functions = network(dataclasses.replace(SMALL, critic=critic), num_actions=4, context_symbols=4, context_blocks=1)
    params = random_params(functions)
    views = jax.random.randint(jax.random.key(1), (6, 3, 5, 5, 3), 0, 256).astype(jnp.uint8)
    context, first = jnp.zeros((6, 3, 1), jnp.int32), jnp.zeros((6, 3), bool)
    carry = functions.zero_carry((3,))

    def value(params):
        features = functions.encode(params, views)
        branch = "critic" if critic == "separate" else "policy"
        heads = functions.unroll(params, branch, carry[branch], features[branch], context, first)
        return heads["action_value"].sum()

    gradients = jax.jit(jax.grad(value))(params)
    assert {name for name, part in gradients.items() if any(jnp.any(x != 0) for x in jax.tree.leaves(part))} == reached


def test_a_model_of_others_may_look_for_itself():
    colours = tuple(tuple((1, n, turns) for turns in range(4)) for n in range(2))
    spec = {"num_actions": 4, "context_symbols": 4, "context_blocks": 1, "moa_targets": 1, "agent_colours": colours}
    views = jax.random.randint(jax.random.key(1), (3, 5, 5, 3), 0, 256).astype(jnp.uint8)
    views = views.at[:, 2, 2].set(jnp.array(colours[0][0], jnp.uint8))
    own = {"moa_encoder", "moa"}
    for encoder, reached in (("shared", {"encoder", "moa"}), ("own", own), ("perspective", own)):
        functions = network(dataclasses.replace(SMALL, moa_encoder=encoder), **spec)
        params = random_params(functions)
        gradients = jax.jit(jax.grad(lambda p, f=functions: f.encode(p, views)["moa"].sum()))(params)
        assert {
            name for name, part in gradients.items() if any(jnp.any(x != 0) for x in jax.tree.leaves(part))
        } == reached
