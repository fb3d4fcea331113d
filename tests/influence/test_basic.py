"""Basic influence: influencers act first and are seen, against a naive rerun of the whole network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import InfluenceConfig
from influence_jax.influence.basic import basic
from influence_jax.influence.measures import kl, pmi
from tests.influence.listeners import Listeners, jitted, make_world
from tests.influence.worlds import A, E, N


@pytest.fixture(scope="module", params=[1, 2], ids=["one influencer", "two influencers"])
def leaders(request):
    return request.param


def contexts_by_the_rules(leaders, memory, action):
    context = np.zeros((E, N, N - 1), int)
    for e in range(E):
        for j in range(N):
            for block, k in enumerate(i for i in range(N) if i != j):
                current = j >= leaders and k < leaders
                context[e, j, block] = action[e, k] if current else memory[e, k]
    return context


def influencers_by_the_rules(leaders, arguments, heads, contexts, action, e, j):
    params, carry, _, now = arguments
    for k in range(N):
        if not k < leaders <= j:
            continue
        speaker = jax.tree.map(lambda x, k=k: x[k], params)
        its_state = jax.tree.map(lambda x, k=k: x[k, e], carry)
        weights = np.asarray(heads(speaker, its_state, now.observation[e, k], contexts[e, k])["action"])
        yield k, [i for i in range(N) if i != j].index(k), weights, action[e, k]


@pytest.fixture(scope="module")
def world(leaders):
    return make_world(
        basic(InfluenceConfig(num_influencers=leaders), N, A, kl),
        lambda _, key: jax.random.randint(key, (E, N), 0, A),
        symbols=A,
        contexts=lambda *args: contexts_by_the_rules(leaders, *args),
        influencers=lambda *args: influencers_by_the_rules(leaders, *args),
    )


class TestBasic(Listeners):
    def test_an_episode_starts_without_symbols_and_ends_idle(self, world):
        now = world.arguments[3]
        reset, _, _ = world.decide(now=now.replace(first=jnp.ones(E, bool)))
        told = world.contexts(np.full((E, N), -1), np.asarray(reset.action))
        np.testing.assert_array_equal(reset.context, told)
        over, _, _ = world.decide(now=now.replace(truncated=jnp.array([True, False, False, False])))
        assert not over.influence[0].any() and over.influence[1:].any()

    def test_pmi_takes_the_action_that_the_listener_took(self, world, leaders):
        model = basic(InfluenceConfig(num_influencers=leaders), N, A, pmi)
        output, _, _ = jitted(model, world.network)(*world.arguments)
        values = np.asarray(output.influence)
        assert values.min() < 0 < values.max()
