"""Real interventions, against loops over agents, actions and games."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError, Hyperparams, InfluenceConfig
from influence_jax.evaluation.intervention import NUM_ENVS, Interventions, at_moments, intervene, one_moment
from influence_jax.influence.acting import decide
from influence_jax.learner.learner import make_learner
from influence_jax.learner.state import RolloutState
from influence_jax.runtime.population import init_population
from tests.influence.worlds import compare, naive_heads


def moments_of(trace, times):
    """Return steps of an episode as environments side by side."""
    state, timestep = (jax.tree.map(lambda x: x[times], tree) for tree in (trace.states, trace.timesteps))
    agents = trace.team.agent_states
    carry = jax.tree.map(lambda x: jnp.moveaxis(x[times, :, 0], 0, 1), agents.carry)
    return RolloutState(state, timestep, carry, agents.memory[times, 0], agents.shaper_state)


def test_real_influence_is_that_of_another_world(runs, trace):
    """At three steps of an episode, the last one included, with policies far from uniform."""
    learner, member, key = runs["moa"].learner, runs["moa"].policy(0).member, jax.random.key(2)
    params, rollout_state = member.params, moments_of(trace, np.array([4, 10, 19]))
    found = jax.jit(lambda m, s, k: one_moment(learner, m, s, k))(member, rollout_state, key)
    act_key, noise_key = jax.random.split(key)
    now = rollout_state.timestep
    acting = jax.jit(lambda *state: decide(learner.model, learner.network, act_key, *state))
    output, carry, _ = acting(params, rollout_state.carry, rollout_state.memory, now)
    num_envs, num_agents = now.reward.shape
    noise_keys = jax.random.split(noise_key, num_envs)
    heads, transition = naive_heads(learner.network), jax.jit(learner.env.transition)

    def policy(agent, carry, e, observation, said):
        own, state = (jax.tree.map(lambda x: x[agent], tree) for tree in (params, carry))
        told = jnp.array([said[i] for i in range(num_agents) if i != agent])
        return np.asarray(heads(own, jax.tree.map(lambda x: x[e], state), observation[agent], told)["action"])

    for e in range(num_envs):
        state = jax.tree.map(lambda x, e=e: x[e], rollout_state.env_state)
        noise = learner.env.sample_noise(noise_keys[e], learner.env_params)
        said = np.asarray(rollout_state.memory[e])
        for k in range(num_agents):
            weights = policy(k, rollout_state.carry, e, now.observation[e], said)
            answers = []
            for action in range(learner.env.spec.num_actions):
                actions = output.action[e].at[k].set(action)
                _, after = transition(state, actions, noise, learner.env_params)
                answers.append([policy(j, carry, e, after.observation, actions) for j in range(num_agents)])
            for j in range(num_agents):
                expected, _ = compare([answer[j] for answer in answers], weights, int(output.action[e, k]))
                counts = bool(now.visible[e, k, j]) and not bool(after.last | now.last[e])
                assert bool(found["counted"][e, k, j]) == counts
                np.testing.assert_allclose(found["real"][e, k, j], expected if counts else 0.0, atol=2e-5)
    assert found["real"].max() > 0.02, "the reference must have something to find"


@pytest.mark.slow
def test_a_wrapped_model_of_others_is_one(runs):
    known, own = (intervene(runs[name].learner, runs[name].state, 1) for name in ("moa", "own moa"))
    assert known.pairs[0] > 0 and known.real.max() > 0.02
    for name in ("estimated", "real", "counted"):
        np.testing.assert_array_equal(getattr(known, name), getattr(own, name))


@pytest.mark.slow
def test_real_influence_has_the_right_marginal_even_if_the_estimate_has_not(runs):
    right, wrong = (intervene(runs[name].learner, runs[name].state, 1) for name in ("moa", "released moa"))
    np.testing.assert_allclose(wrong.real, right.real, atol=1e-6)
    assert wrong.estimated[wrong.counted].mean() > 1.1 * right.estimated[right.counted].mean()


def test_moments_are_spread_over_the_episode_of_every_member(runs):
    found = intervene(runs["moa"], num_moments=40)
    assert found.real.shape == found.estimated.shape == found.counted.shape == (2, 3 * NUM_ENVS, 3, 3)
    assert found.counted.any() and not found.counted[:, :, [0, 1, 2], [0, 1, 2]].any()
    assert found.correlation.shape == (2,) and (np.abs(found.correlation) <= 1).all()


def test_moments_are_spread_up_to_the_last_action_but_one(runs):
    learner, state = runs["moa"].learner, runs["moa"].state
    look = jax.jit(
        lambda members: at_moments(learner, 6, lambda _m, now, _k: now.env_state.time, members, jax.random.key(0))
    )
    times = np.repeat(np.arange(2, 19, 2), NUM_ENVS)
    np.testing.assert_array_equal(look(state.member), [times] * 2)


def test_correlation_is_over_pairs_that_count():
    real = np.array([[[[0.0, 1.0], [2.0, 0.0]]], [[[0.0, 1.0], [1.0, 0.0]]]])
    counted = np.broadcast_to(~np.eye(2, dtype=bool), real.shape)
    found = Interventions(estimated=3 * real + np.eye(2), real=real, counted=counted)
    np.testing.assert_allclose(found.correlation, [1.0, np.nan])
    played = "1 moments of each of 2 members with 2 agents"
    assert repr(found) == f"Interventions in {played}, 4 pairs that count, correlation 1"
    first, second = found.rows()
    assert first == {"member": 0, "pairs": 2, "estimated": 4.5, "real": 1.5, "correlation": pytest.approx(1)}
    assert second["real"] == 1 and np.isnan(second["correlation"]) and found._repr_html_().count("<tr>") == 3


def test_agents_without_a_model_of_others_are_refused(tiny):
    learner = make_learner(
        dataclasses.replace(tiny, influence=InfluenceConfig(model="basic"), hyperparams=Hyperparams())
    )
    with pytest.raises(
        ConfigError, match=r"influence.model has the source 'policies'; .* allowed: one with the source 'own model'"
    ):
        intervene(learner, init_population(learner))


@pytest.mark.parametrize("num_moments", [1, 33])
def test_moments_lie_inside_the_episode_whatever_their_number(runs, num_moments):
    """Sixteen moments used to be one round at the very end, where none counts."""
    found = intervene(runs["moa"], num_moments=num_moments)
    assert (found.pairs > 0).all() and found.pairs.tolist() == found.counted.sum(axis=(1, 2, 3)).tolist()
    assert np.isfinite(found.real).all()
