"""Communication: messages of the previous step, against a naive rerun of the whole network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.influence.acting import decide
from influence_jax.influence.communication import communication, scrambled
from influence_jax.influence.independent import independent
from influence_jax.influence.measures import kl, pmi
from influence_jax.settings import ConfigError
from tests.influence.listeners import Listeners, jitted, make_world
from tests.influence.worlds import A, E, N, bootstrap_of, network_of, random_agents, rollout_of, timestep

M = 4  # messages
MODEL = communication(InfluenceConfig(num_messages=M), N, A, kl)


def contexts_by_the_rules(memory, action):
    return np.repeat(np.asarray(memory[0])[:, None], N, axis=1)


def influencers_by_the_rules(arguments, heads, contexts, action, e, j):
    memory = arguments[2]
    for k in range(N):
        if k != j:
            yield k, k, np.exp(memory[1][e, k]), memory[0][e, k]


@pytest.fixture(scope="module")
def world():
    def remembered(policy_key, message_key):
        weights = jax.nn.log_softmax(jax.random.normal(policy_key, (E, N, M)))
        return jax.random.randint(message_key, (E, N), 0, M), weights

    return make_world(
        MODEL, remembered, symbols=M, contexts=contexts_by_the_rules, influencers=influencers_by_the_rules
    )


class TestCommunication(Listeners):
    def test_an_episode_starts_without_symbols_and_ends_idle(self, world):
        now = world.arguments[3]
        reset, _, _ = world.decide(now=now.replace(first=jnp.ones(E, bool)))
        assert (reset.context == -1).all() and not reset.influence.any() and not reset.mutual_information.any()
        over, _, _ = world.decide(now=now.replace(truncated=jnp.array([True, False, False, False])))
        assert not over.influence[0].any() and over.influence[1:].any()

    def test_pmi_takes_the_action_that_the_listener_took(self, world):
        model = communication(InfluenceConfig(num_messages=M), N, A, pmi)
        network, arguments = world.network, world.arguments
        output, _, _ = jitted(model, network)(*arguments)
        values = np.asarray(output.influence)
        assert values.min() < 0 < values.max()
        # One draw of what the KL averages: over many keys the two agree.
        many = jax.jit(jax.vmap(lambda key: decide(model, network, key, *arguments)[0].influence))(
            jax.random.split(jax.random.key(2), 3000)
        )
        np.testing.assert_allclose(many.mean(axis=0), world.decide()[0].influence, atol=0.05)


def test_messages_are_remembered_with_the_policy_that_drew_them():
    network = network_of(MODEL)
    params, carry = random_agents(network)
    memory = MODEL.memory.init(E)
    output, _, (said, weights) = jitted(MODEL, network)(params, carry, memory, timestep(jax.random.key(0)))
    np.testing.assert_array_equal(said, output.samples["message"].symbol)
    drawn = jnp.take_along_axis(weights, said[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(drawn, output.samples["message"].log_prob, atol=1e-6)
    np.testing.assert_allclose(jnp.exp(weights).sum(-1), 1.0, atol=1e-5)


def test_influence_is_credited_to_its_cause():
    pairs = jnp.arange(3.0).reshape(3, 1, 1, 1)
    credited = MODEL.credited_influence(rollout_of(pairs), bootstrap_of(jnp.full((1, 1, 1), 9.0)), Hyperparams())
    np.testing.assert_array_equal(credited[:, 0, 0, 0], [1, 2, 9])


def heard_by(how, message, log_policy):
    """The messages that agents receive under a scramble."""
    heard, unchanged = scrambled(MODEL, how).memory.disturb(jax.random.key(0), (message, log_policy))
    np.testing.assert_array_equal(unchanged, log_policy)
    return np.asarray(heard)


def test_scrambled_messages():
    many = 4000
    share = jnp.array([[0.5, 0.5, 0, 0], [0, 0, 1, 0], [0.25, 0.25, 0.25, 0.25]])
    log_policy = jnp.log(jnp.broadcast_to(share, (many, N, M)))
    log_policy = log_policy.at[:, 0].set(jnp.log(jnp.eye(M)[jnp.arange(many) % 2]))  # in each environment for certain
    message = jnp.tile(jnp.array([[0, 2, 1]], jnp.int32), (many, 1)).at[0].set(-1)
    drawn = heard_by("random", message, log_policy)
    assert drawn.dtype == np.int32 and (drawn[0] == -1).all()  # nobody has spoken yet
    for agent in range(N):
        counts = np.bincount(drawn[1:, agent], minlength=M) / (many - 1)
        np.testing.assert_allclose(counts, share[agent], atol=0.03)
    assert heard_by("another", message, log_policy)[1].tolist() == [2, 1, 0]
    assert (heard_by("silence", message, log_policy) == -1).all()


def test_what_cannot_be_scrambled_is_refused():
    with pytest.raises(ConfigError, match="how is 'noise'; allowed: random, another, silence"):
        scrambled(MODEL, "noise")
    with pytest.raises(ConfigError, match=r"network_spec\.num_messages is 0"):
        scrambled(independent(InfluenceConfig(), N, A, kl), "random")
