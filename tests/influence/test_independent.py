"""Agents without influence, with and without seeing the others' actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import decide
from influence_jax.influence.independent import independent
from influence_jax.influence.measures import kl
from tests.influence.worlds import A, E, N, naive_heads, network_of, random_agents, timestep


@pytest.mark.parametrize("visible_actions", [False, True])
def test_policies_are_those_of_the_network_and_nobody_has_influence(visible_actions):
    model = independent(InfluenceConfig(model="independent", visible_actions=visible_actions), N, A, kl)
    network = network_of(model)
    params, carry = random_agents(network)
    memory, now = jax.random.randint(jax.random.key(1), (E, N), 0, A), timestep(jax.random.key(2))
    output, _, remembered = jax.jit(lambda *args: decide(model, network, jax.random.key(7), *args))(
        params, carry, memory, now
    )
    assert output.influence.shape == output.mutual_information.shape == (E, N, N)
    assert not output.influence.any() and not output.mutual_information.any()
    np.testing.assert_array_equal(remembered, output.action)
    heads = naive_heads(network)
    for e in range(E):
        for n in range(N):
            told = [int(memory[e, i]) for i in range(N) if i != n] if visible_actions else []
            assert output.context[e, n].tolist() == told
            agent = jax.tree.map(lambda x, n=n: x[n], params)
            state = jax.tree.map(lambda x, n=n, e=e: x[n, e], carry)
            policy = heads(agent, state, now.observation[e, n], jnp.array(told, jnp.int32))["action"]
            log_prob = output.samples["action"].log_prob[e, n]
            np.testing.assert_allclose(log_prob, np.log(policy[output.action[e, n]]), atol=1e-5)
