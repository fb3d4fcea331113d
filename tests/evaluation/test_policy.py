"""Policies at a state and step by step, against the network run by hand and against an episode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.evaluation.policy import policy_of
from influence_jax.learner.rollout import act
from influence_jax.learner.state import RolloutState
from tests.evaluation.conftest import run_of
from tests.influence.worlds import naive_heads


def test_a_policy_at_a_state_is_that_of_the_network(runs):
    run = runs["moa"]
    policy, env = run.policy(1), run.learner.env
    state, timestep = jax.jit(env.reset)(jax.random.key(5), env.default_params)
    found = policy.at(state)
    heads, told = naive_heads(run.learner.network), jnp.full(2, -1)
    carry = run.learner.network.zero_carry(())
    for agent in range(3):
        params = jax.tree.map(lambda x, n=agent: x[n], policy.member.params)
        expected = heads(params, carry, timestep.observation[agent], told)["action"]
        np.testing.assert_allclose(found.probabilities[agent], expected, rtol=1e-5)
    assert found.values.shape == (3,) and found.actions.shape == (3,) and found.messages is None


@pytest.mark.parametrize("model", ["moa", "basic", "communication"])
def test_by_hand_everything_is_as_in_an_episode(runs, model):
    run = runs[model]
    trace, policy = run.trace(0, seed=3), run.policy(0)
    env, agent_state = run.learner.env, policy.start()
    step = jax.jit(env.transition)
    timestep = jax.tree.map(lambda x: x[0], trace.timesteps)
    for time in range(4):
        act_key, noise_key = jax.random.split(jax.random.fold_in(jax.random.key(3), time))
        decision, agent_state = policy.step(agent_state, timestep, act_key)
        np.testing.assert_array_equal(decision.actions, trace.actions[time])
        np.testing.assert_allclose(decision.log_policy, trace.log_policy[time], rtol=1e-4, atol=1e-5)
        if model == "communication":
            np.testing.assert_array_equal(decision.messages, trace.messages[time])
        noise = env.sample_noise(jax.random.split(noise_key, 1)[0], env.default_params)
        state = jax.tree.map(lambda x, t=time: x[t], trace.states)
        _, timestep = step(state, decision.actions, noise, env.default_params)


def test_with_a_mind_it_is_another_policy(runs):
    run = runs["moa"]
    policy, trace = run.policy(0), run.trace(0)
    timestep = jax.tree.map(lambda x: x[0], trace.timesteps)
    _, agent_state = policy.step(policy.start(), timestep, jax.random.key(0))
    state = jax.tree.map(lambda x: x[1], trace.states)
    assert np.abs(policy.at(state, agent_state).probabilities - policy.at(state).probabilities).max() > 1e-3


def test_the_forced_do_as_they_are_forced(runs):
    run = runs["basic"]
    policy, trace = run.policy(0), run.trace(0)
    one = [jax.tree.map(lambda x: x[:1], tree) for tree in (trace.states, trace.timesteps)]
    agent_state = policy.start()
    now = RolloutState(*one, agent_state.carry, agent_state.memory, agent_state.shaper_state)
    acting = jax.jit(lambda forced: act(run.learner, policy.member, now, jax.random.key(0), forced))
    free, _, _ = acting(None)
    for forced in ([4, -1, 2], [5, -1, 2]):
        output, _, memory = acting({"action": jnp.array([forced])})
        assert output.action[0, [0, 2]].tolist() == [forced[0], 2] and memory[0, 0] == forced[0]
        np.testing.assert_allclose(output.log_policy["action"][0, 0], free.log_policy["action"][0, 0], rtol=1e-6)
        assert output.samples["action"].log_prob[0, 2] == output.log_policy["action"][0, 2, 2]


@pytest.mark.slow
def test_rewards_that_agents_observe_enter_as_in_an_episode(tiny):
    """Stepping by hand turns a time step's reward into the same observation as in an episode."""
    run = run_of(tiny.override(observe_rewards=True, shaper="inequity_averse"))
    trace, policy = run.trace(0, seed=3), run.policy(0)
    agent_state, carried = policy.start(), trace.team.agent_states.shaper_state
    for time in range(len(trace)):
        timestep = jax.tree.map(lambda x, t=time: x[t], trace.timesteps)
        act_key, _ = jax.random.split(jax.random.fold_in(jax.random.key(3), time))
        decision, agent_state = policy.step(agent_state, timestep, act_key)
        np.testing.assert_array_equal(decision.actions, trace.actions[time])
        np.testing.assert_allclose(agent_state.shaper_state, carried[time], rtol=1e-5)
    assert np.abs(carried).max() > 0


def test_they_say_who_they_are_in_one_line(runs):
    actions = "left, right, forward, backward, stay, turn_clockwise, turn_counterclockwise, fire"
    policy, talking = (runs[model].policy(0) for model in ("moa", "communication"))
    assert repr(policy) == f"Policy of agents 0 to 2, trained in Harvest to choose {actions}"
    assert repr(policy[1]) == f"Agent 1, trained in Harvest to choose {actions}"
    assert [agent.number for agent in policy] == [0, 1, 2]
    assert repr(talking).endswith(f"to choose {actions}, and one of 3 messages")


def test_decisions_name_actions(runs):
    policy = runs["communication"].policy(0)
    env = policy.learner.env
    decision = policy.at(jax.jit(env.reset)(jax.random.key(0), policy.member.env_params)[0])
    names = [env.spec.action_names[action] for action in decision.actions]
    rows = decision.rows()
    assert [row["action"] for row in rows] == names and [row["message"] for row in rows] == decision.messages.tolist()
    chances = [decision.probabilities[n, action] for n, action in enumerate(decision.actions)]
    np.testing.assert_allclose([row[row["action"]] for row in rows], chances)
    shown = ", ".join(f"{name} ({chance:.2g})" for name, chance in zip(names, chances, strict=True))
    assert repr(decision) == f"Decision of 3 agents, with probabilities: {shown}"
    assert decision._repr_html_().count("<tr>") == 4
    assert "\n" not in repr(jax.tree.map(lambda x: x[None], decision))  # of several games


def test_refusals(runs):
    run = runs["moa"]
    with pytest.raises(ConfigError, match="member is 2; allowed: whole numbers from 0 to 1"):
        policy_of(run.learner, run.state, 2)
    with pytest.raises(ConfigError, match="agent is 3; allowed: whole numbers from 0 to 2"):
        run.policy(0)[3]
