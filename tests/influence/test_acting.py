"""Acting, for every model: agents sample independently, and no memory crosses episodes."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import act, at_start, encode, last_actions
from influence_jax.influence.axes import others
from influence_jax.influence.communication import communication
from influence_jax.influence.measures import kl
from tests.influence.worlds import A, E, N, network_of, random_agents, timestep

MODEL = communication(InfluenceConfig(num_messages=4), N, A, kl)


def test_every_head_of_every_agent_is_drawn_from_its_policy():
    """Over many keys, sampled frequencies match the policies, and the samples of two agents are independent."""
    network = network_of(MODEL)
    params, carry = random_agents(network)
    params = jax.tree.map(lambda x: jnp.broadcast_to(x[:1], x.shape), params)  # the same agent N times
    carry = jax.tree.map(lambda x: jnp.broadcast_to(x[:1, :1], x.shape), carry)
    now = timestep(jax.random.key(2))
    views = jnp.broadcast_to(now.observation[:1, :1], now.observation.shape)
    features = jax.jit(lambda *seen: encode(network, *seen))(params, views)
    context = jnp.zeros((N, E, N), jnp.int32)

    def draw(key):
        step = act(network, key, params, carry, features, context, {})
        return step.samples, step.log_policy

    draws = 2000
    samples, log_policy = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(0), draws))
    for head, count in (("action", A), ("message", 4)):
        policy = np.exp(log_policy[head][0, 0, 0])
        symbols = np.asarray(samples[head].symbol)  # [draws,N,E]
        frequency = np.bincount(symbols.ravel(), minlength=count) / symbols.size
        np.testing.assert_allclose(frequency, policy, atol=5 * np.sqrt(0.25 / symbols.size))
        together = (symbols[:, 0] == symbols[:, 1]).mean()
        assert abs(together - (policy**2).sum()) < 5 * np.sqrt(0.25 / (draws * E))
        taken = np.take_along_axis(np.asarray(log_policy[head]), symbols[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(samples[head].log_prob, taken, atol=1e-5)


def test_a_new_episode_knows_nothing_of_the_last():
    first = jnp.array([True, False])
    before = {"policy": jnp.ones((3, 2, 5))}, jnp.array([[1, 2, 3], [4, 5, 6]])
    carry, memory = at_start(last_actions(3, context=others), first, *before)
    assert not carry["policy"][:, 0].any() and (carry["policy"][:, 1] == 1).all()
    np.testing.assert_array_equal(memory, [[-1, -1, -1], [4, 5, 6]])
