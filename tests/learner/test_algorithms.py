"""The steps that an algorithm takes, with a step that only records its input."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import Hyperparams, InfluenceConfig
from influence_jax.learner.agent_update import AgentBatch
from influence_jax.learner.algorithms import A2C, PPO
from influence_jax.learner.learner import make_learner
from influence_jax.learner.update import update
from tests.learner.worlds import probe_config, start_of

ENVS = 6


def learned(algorithm):
    """Return how often each step learned from each environment, ``[steps, E]``, and how many steps were taken."""

    def step(params, opt_state, batch, carry):
        np.testing.assert_equal(batch.first.shape, (3, len(carry)))
        counts = (
            jnp.zeros(ENVS).at[batch.first[0]].add(carry == batch.first[0])
        )  # each with the carry it was acted with
        return params + 1, opt_state + counts, {"environments": counts.sum()}

    rest = dict.fromkeys(("observation", "activations", "valid", "context", "heads", "auxiliary"))
    batch = AgentBatch(first=jnp.tile(jnp.arange(ENVS), (3, 1)), **rest)
    return algorithm.learn(step, 0, jnp.zeros(ENVS), batch, jnp.arange(ENVS), jax.random.key(0))


def test_a2c_takes_one_step_on_every_environment():
    steps, counts, logs = learned(A2C())
    np.testing.assert_array_equal(counts, np.ones(ENVS))
    assert steps == 1 and logs["environments"] == ENVS


def test_ppo_sees_every_environment_once_an_epoch():
    steps, counts, logs = learned(PPO(epochs=4, minibatches=3))
    np.testing.assert_array_equal(counts, np.full(ENVS, 4))
    assert steps == 4 * 3 and logs["environments"] == ENVS / 3


def test_first_step_of_ppo_sees_the_policy_that_acted():
    """From the carries that the rollout began with, every ratio is 1, so the centred surrogate is 0."""
    config = probe_config(influence=InfluenceConfig(visible_actions=True), hyperparams=Hyperparams())
    rules = dataclasses.replace(config.learner, algorithm="ppo", ppo_epochs=1, ppo_minibatches=1)
    learner = make_learner(dataclasses.replace(config, learner=rules))
    state = start_of(learner)
    keys = iter(jax.random.split(jax.random.key(1), 100))
    louder = jax.tree.map(lambda x: jax.random.normal(next(keys), x.shape), state.params)
    carry = jax.tree.map(lambda x: jax.random.normal(next(keys), x.shape), state.rollout_state.carry)
    going_on = state.rollout_state.timestep.replace(first=jnp.zeros_like(state.rollout_state.timestep.first))
    rollout_state = state.rollout_state.replace(carry=carry, timestep=going_on)
    _, logs = jax.jit(lambda s: update(learner, s, 10.0))(state.replace(params=louder, rollout_state=rollout_state))
    np.testing.assert_allclose(logs["policy_loss"].value(), 0.0, atol=1e-5)
