"""Acting, seen from outside: episode boundaries, randomness, and what agents know."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import presets
from influence_jax.config import ConfigError, EnvConfig, Hyperparams, LearnerConfig
from influence_jax.influence import axes
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import act, init_rollout, rollout
from tests.influence.worlds import louder
from tests.learner.worlds import PROBE, probe_config


def test_rollout_marks_the_borders_of_episodes(played):
    """Clocks start at 0, 1, 3 and 4 of 6: the idle step comes when the clock has reached 6."""
    _, trajectory, _ = played
    for env, clock in enumerate((0, 1, 3, 4)):
        idle = [t for t in range(14) if (t + clock) % 7 == 6]
        np.testing.assert_array_equal(np.flatnonzero(~trajectory.valid[:, env]), idle)
        np.testing.assert_array_equal(np.flatnonzero(trajectory.truncated[:, env]), [t - 1 for t in idle if t])
        # An episode that is joined part-way has no first step.
        np.testing.assert_array_equal(
            np.flatnonzero(trajectory.first[:, env]), ([0] if clock == 0 else []) + [t + 1 for t in idle if t + 1 < 14]
        )
        assert not trajectory.reward[np.array(idle), env].any()


def test_influence_on_the_next_action_needs_a_next_action(learner, played):
    _, trajectory, bootstrap = played
    influence = learner.model.influence_reward(trajectory, bootstrap, Hyperparams()).sum(axis=-1)
    silent = ~trajectory.valid | trajectory.truncated
    assert not influence[silent].any() and (influence[~silent] > 0).all()


def test_learner_sees_what_the_actors_did(learner, state, played):
    """Unrolling the network over the rollout gives the log-probabilities and values of acting."""
    _, trajectory, _ = played
    output = trajectory.actor_output

    def unroll(params, carry, observation, context):
        features, heads = learner.network.encode(params, observation), {}
        for branch in ("policy", "critic"):
            heads |= learner.network.unroll(params, branch, carry[branch], features[branch], context, trajectory.first)
        return heads

    heads = jax.vmap(unroll, in_axes=(0, 0, 2, 2), out_axes=2)(
        state.params, state.rollout_state.carry, trajectory.observation, output.context
    )
    log_policy = jax.nn.log_softmax(heads["action"])
    log_prob = jnp.take_along_axis(log_policy, output.action[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(log_prob, output.samples["action"].log_prob, atol=1e-6)
    np.testing.assert_allclose(heads["action_value"], output.samples["action"].value, atol=1e-5)


def test_context_is_what_the_others_did_last(played):
    _, trajectory, _ = played
    action, context, first = (
        np.asarray(x) for x in (trajectory.actor_output.action, trajectory.actor_output.context, trajectory.first)
    )
    for t in range(1, 14):
        expected = np.asarray(axes.others(jnp.asarray(action[t - 1])))
        np.testing.assert_array_equal(context[t][~first[t]], expected[~first[t]])
        assert (context[t][first[t]] == -1).all()


def test_identical_agents_sample_differently(learner, state):
    """Same parameters and same views: with one key for all they would act as one."""
    same = jax.tree.map(lambda x: jnp.broadcast_to(x[:1], x.shape), state.params)
    timestep = state.rollout_state.timestep
    views = jnp.broadcast_to(timestep.observation[:1, :1], timestep.observation.shape)
    rollout_state = state.rollout_state.replace(timestep=timestep.replace(observation=views))
    many = jax.jit(jax.vmap(lambda key: act(learner, state.replace(params=same).member, rollout_state, key)[0].action))(
        jax.random.split(jax.random.key(1), 40)
    )
    many = many.reshape(-1, many.shape[-1])  # [160, N]
    agreement = (many[:, 0] == many[:, 1]).mean()
    assert abs(agreement - 1 / 3) < 0.15


def test_no_gradient_reaches_the_network_through_the_reward(learner, state):
    """The loss sees advantages as numbers: differentiating through a whole update finds nothing in the rewards."""

    def total_reward(params):
        _, trajectory, _ = rollout(learner, state.replace(params=params).member, state.rollout_state, 3, state.key)
        return trajectory.actor_output.influence.sum() + trajectory.reward.sum()

    assert not any(jnp.any(g) for g in jax.tree.leaves(jax.jit(jax.grad(total_reward))(state.params)))


def test_clocks_are_spread_over_any_horizon():
    """Four games of 2^30 steps: their product does not fit int32."""
    learner = make_learner(
        dataclasses.replace(probe_config(), env=EnvConfig(PROBE + "Cue", num_agents=2, horizon=2**30))
    )
    start = init_rollout(learner, learner.env_params, jax.random.key(0), 4, staggered=True)
    assert start.env_state.time.tolist() == [0, 2**28, 2**29, 3 * 2**28]
    assert start.timestep.first.tolist() == [True, False, False, False]


def test_inequity_averse_agents_may_observe_everybodys_smoothed_rewards():
    """Each sees its own first: a tenth of the decayed sum of this episode's rewards before this step."""
    config = probe_config(model="independent")
    rules = dataclasses.replace(config.learner, shaper="inequity_averse", observe_rewards=True)
    learner = make_learner(dataclasses.replace(config, learner=rules))
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    after, trajectory, _ = jax.jit(lambda s: rollout(learner, s.member, s.rollout_state, 14, s.key))(state)
    reward, first, extra = (np.asarray(x) for x in (trajectory.reward, trajectory.first, trajectory.observation.extra))
    decay, level = 0.99 * 0.975, np.zeros(reward.shape[1:])
    for t in range(14):
        level[first[t]] = 0
        for agent in range(3):
            order = [agent, *(other for other in range(3) if other != agent)]
            np.testing.assert_allclose(extra[t][:, agent], level[:, order] / 10, rtol=1e-5, atol=1e-7)
        level = level * decay + reward[t]
    assert extra.max() > 0.05
    np.testing.assert_allclose(after.shaper_state, level, rtol=1e-5)
    # It enters the policy: other levels, another policy.
    moved = state.replace(params=louder(state.params))
    decide = jax.jit(
        lambda s: rollout(learner, s.member, s.rollout_state, 1, s.key)[1].actor_output.samples["action"].value
    )
    going_on = moved.rollout_state.timestep.replace(first=jnp.zeros(4, bool))
    levels = [moved.rollout_state.replace(timestep=going_on, shaper_state=jnp.full((4, 3), x)) for x in (0.0, 30.0)]
    values = [decide(moved.replace(rollout_state=x)) for x in levels]
    assert (values[0] != values[1]).all()


@pytest.mark.slow
def test_what_is_seen_moves_hidden_units_from_the_start():
    """On the full Harvest, a new core's units vary between moments by .19 (standard deviation); it used to be .016."""
    learner = make_learner(
        dataclasses.replace(presets.get("harvest-a3c", "small"), learner=LearnerConfig(num_envs=8, rollout_length=16))
    )

    @jax.jit
    def played(key):
        state = train.init(learner, key)
        return rollout(learner, state.member, state.rollout_state, 16, state.key)[1]

    hidden = played(jax.random.key(0)).actor_output.activations["policy"].carry.hidden  # [T,E,N,H]
    assert 0.12 < hidden.std(axis=(0, 1)).mean() < 0.35


def test_what_cannot_be_observed_is_refused():
    rules = dataclasses.replace(probe_config().learner, shaper="influence_jax.rewards:SHAPERS", observe_rewards=True)
    with pytest.raises(ConfigError):
        make_learner(probe_config(learner=rules))
