"""Basic influence and communication: the others' real policies, against a naive re-run of the whole network."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import InfluenceConfig
from influence_jax.influence.basic import basic
from influence_jax.influence.communication import communication
from influence_jax.influence.measures import kl, pmi
from tests.influence.worlds import A, E, N, compare, naive_heads, network_of, random_agents, timestep

pytestmark = pytest.mark.usefixtures("compile_quickly")

M = 4  # messages
MODELS = {
    "basic, one influencer": basic(InfluenceConfig(), N, A, kl),
    "basic, two influencers": basic(InfluenceConfig(num_influencers=2), N, A, kl),
    "communication": communication(InfluenceConfig(num_messages=M), N, A, kl),
}
LEADERS = {"basic, one influencer": 1, "basic, two influencers": 2, "communication": N}


@pytest.fixture(scope="module", params=MODELS)
def world(request):
    """``(name, model, network, arguments of decide)`` in the middle of an episode."""
    model = MODELS[request.param]
    network = network_of(model)
    params, carry = random_agents(network)
    keys = jax.random.split(jax.random.key(1), 3)
    if request.param == "communication":
        weights = jax.nn.log_softmax(jax.random.normal(keys[0], (N, E, M)))
        memory = jax.random.randint(keys[1], (E, N), 0, M), weights
    else:
        memory = jax.random.randint(keys[1], (E, N), 0, A)
    return request.param, model, network, (params, carry, memory, timestep(keys[2]))


@functools.cache
def jitted(model, network):
    return jax.jit(lambda *args: model.decide(network, jax.random.key(7), *args))


def decide(world, **changes):
    _, model, network, (params, carry, memory, now) = world
    return jitted(model, network)(
        changes.get("params", params), carry, changes.get("memory", memory), changes.get("now", now)
    )


def contexts_by_the_rules(name, memory, action):
    """``i32[E,N,L]``: what each agent is told, written from section A of the paper's description."""
    if name == "communication":
        return np.repeat(np.asarray(memory[0])[:, None], N, axis=1)
    leaders = LEADERS[name]
    context = np.zeros((E, N, N - 1), int)
    for e in range(E):
        for j in range(N):
            for block, k in enumerate(i for i in range(N) if i != j):
                current = j >= leaders and k < leaders
                context[e, j, block] = action[e, k] if current else memory[e, k]
    return context


@pytest.fixture(scope="module")
def by_hand(world):
    """Influence and mutual information ``[E,N,N]``, surprisal ``[E,N]``, by loops."""
    name, _, network, arguments = world
    action = np.asarray(decide(world)[0].action)
    params, carry, memory, now = jax.device_get(arguments)
    heads = naive_heads(network)
    contexts = contexts_by_the_rules(name, memory, action)
    influence, information, surprisal = np.zeros((E, N, N)), np.zeros((E, N, N)), np.zeros((E, N))
    for e in range(E):
        for j in range(N):
            agent = jax.tree.map(lambda x, j=j: x[j], params)
            state = jax.tree.map(lambda x, j=j, e=e: x[j, e], carry)
            told = contexts[e, j]
            for k in range(N):
                if name == "communication":
                    if k == j:
                        continue
                    block, weights, taken = k, np.exp(memory[1][k, e]), memory[0][e, k]
                else:
                    if not k < LEADERS[name] <= j:
                        continue
                    speaker = jax.tree.map(lambda x, k=k: x[k], params)
                    its_state = jax.tree.map(lambda x, k=k, e=e: x[k, e], carry)
                    weights = np.asarray(heads(speaker, its_state, now.observation[e, k], contexts[e, k])["action"])
                    block, taken = [i for i in range(N) if i != j].index(k), action[e, k]
                answers = []
                for symbol in range(len(weights)):
                    otherwise = told.copy()
                    otherwise[block] = symbol
                    answers.append(np.asarray(heads(agent, state, now.observation[e, j], otherwise)["action"]))
                influence[e, k, j], information[e, k, j] = compare(answers, weights, taken)
                surprisal[e, k] = -np.log(weights[taken])
    return influence, information, surprisal


def test_agents_are_told_what_the_rules_say(world):
    name, _, _, (_, _, memory, _) = world
    output, _, _ = decide(world)
    np.testing.assert_array_equal(
        output.context, contexts_by_the_rules(name, jax.device_get(memory), np.asarray(output.action))
    )


def test_influence_is_the_naive_rerun_and_below_the_surprisal(world, by_hand):
    output, _, _ = decide(world)
    influence, information, surprisal = by_hand
    assert influence.max() > 0.02, "the reference must have something to find"
    np.testing.assert_allclose(output.influence, influence, atol=2e-5)
    np.testing.assert_allclose(output.mutual_information, information, atol=2e-5)
    assert np.all(output.influence <= surprisal[..., None] + 1e-5)


def test_severed_channel_silences_that_pair_alone(world):
    """Agent 2 stops hearing agent 0: the rows of that block of its kernel are zero."""
    name, _, _, (params, *_) = world
    symbols = M if name == "communication" else A
    kernel = params["policy"]["core"]["input_kernel"].at[2, 6 : 6 + symbols].set(0.0)
    severed = params | {"policy": params["policy"] | {"core": params["policy"]["core"] | {"input_kernel": kernel}}}
    before, after = decide(world)[0].influence, decide(world, params=severed)[0].influence
    assert before[:, 0, 2].min() > 0
    np.testing.assert_allclose(after[:, 0, 2], 0.0, atol=1e-6)
    np.testing.assert_array_equal(after[:, :, :2], before[:, :, :2])


def test_no_gradient_through_the_influence_reward(world):
    _, model, network, (params, carry, memory, now) = world
    run = jitted(model, network)
    paid = jax.grad(lambda p: run(p, carry, memory, now)[0].influence.sum())(params)
    assert not any(np.any(x) for x in jax.tree.leaves(paid))


def test_an_episode_starts_without_symbols_and_ends_idle(world):
    name, _, _, (*_, now) = world
    reset, _, _ = decide(world, now=now.replace(first=jnp.ones(E, bool)))
    if name == "communication":
        assert (reset.context == -1).all() and not reset.influence.any() and not reset.mutual_information.any()
    else:
        told = contexts_by_the_rules(name, np.full((E, N), -1), np.asarray(reset.action))
        np.testing.assert_array_equal(reset.context, told)
    over, _, _ = decide(world, now=now.replace(truncated=jnp.array([True, False, False, False])))
    assert not over.influence[0].any() and over.influence[1:].any()


def test_pmi_takes_the_action_that_the_listener_took(world):
    name, _, network, arguments = world
    build, config = (
        (communication, InfluenceConfig(num_messages=M))
        if name == "communication"
        else (basic, InfluenceConfig(num_influencers=LEADERS[name]))
    )
    model = build(config, N, A, pmi)
    output, _, _ = jitted(model, network)(*arguments)
    values = np.asarray(output.influence)
    assert values.min() < 0 < values.max()
    if name != "communication":
        return
    # One draw of what the KL averages: over many keys the two agree.
    many = jax.jit(jax.vmap(lambda key: model.decide(network, key, *arguments)[0].influence))(
        jax.random.split(jax.random.key(2), 3000)
    )
    np.testing.assert_allclose(many.mean(axis=0), decide(world)[0].influence, atol=0.05)


def test_messages_are_remembered_with_the_policy_that_drew_them():
    model = MODELS["communication"]
    network = network_of(model)
    params, carry = random_agents(network)
    memory = model.init_memory(E)
    output, _, (said, weights) = jitted(model, network)(params, carry, memory, timestep(jax.random.key(0)))
    np.testing.assert_array_equal(said, output.samples["message"].symbol)
    drawn = jnp.take_along_axis(weights, said.T[..., None], axis=-1)[..., 0].T
    np.testing.assert_allclose(drawn, output.samples["message"].log_prob, atol=1e-6)
    np.testing.assert_allclose(jnp.exp(weights).sum(-1), 1.0, atol=1e-5)
