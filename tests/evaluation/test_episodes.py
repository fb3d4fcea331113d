"""Whole episodes under frozen parameters."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import EnvConfig, Hyperparams, InfluenceConfig
from influence_jax.envs.probes import Stipend
from influence_jax.evaluation.episodes import evaluate, mean_and_spread
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import init_rollout
from influence_jax.runtime.population import init_population

FIRE = 7
STIPEND = EnvConfig("influence_jax.envs.probes:Stipend", horizon=10)


class Short(Stipend):
    """Ends after three of its ten steps."""

    def dynamics(self, state, actions, noise, params):
        state, reward, discount, metrics = super().dynamics(state, actions, noise, params)
        return state, reward, jnp.where(state.time >= 3, 0.0, discount), metrics


@pytest.fixture(scope="module")
def learner(tiny):
    return make_learner(tiny)


@pytest.fixture(scope="module")
def state(learner):
    """Two members; the second does nothing but fire."""
    state = init_population(learner)
    head = state.params["action_head"]
    bias = head["bias"].at[1].set(100.0 * jax.nn.one_hot(FIRE, head["bias"].shape[-1]))
    return state.replace(params=state.params | {"action_head": head | {"bias": bias}})


@pytest.fixture(scope="module")
def evaluation(learner, state):
    return evaluate(learner, state, num_episodes=3)


def test_training_joins_episodes_part_way_and_evaluation_does_not(learner, state):
    joined = jax.tree.map(lambda x: x[0], state.rollout_state)
    assert joined.env_state.time.tolist() == [0, 6, 13]
    assert joined.timestep.first.tolist() == [True, False, False]
    together = init_rollout(learner, learner.env_params, jax.random.key(0), 3, staggered=False)
    assert together.env_state.time.tolist() == [0, 0, 0]
    assert together.timestep.first.all()


def test_it_plays_with_the_parameters_given(evaluation):
    assert (evaluation.metrics["fires"][1] == 20).all()
    assert (evaluation.metrics["fires"][0] < 20).all()


def test_returns_are_those_of_whole_episodes(evaluation):
    metrics = evaluation.metrics
    np.testing.assert_allclose(evaluation.agent_returns, metrics["apples"] - metrics["fires"] - 50 * metrics["hits"])
    np.testing.assert_allclose(evaluation.collective_return, evaluation.agent_returns.sum(axis=-1))
    assert evaluation.agent_returns.shape == (2, 3, 2)
    assert evaluation.equality.shape == evaluation.influence.shape == (2, 3)


def test_social_metrics_are_of_the_steps_of_the_game(evaluation):
    """Of two agents, none is hit twice in a step."""
    hits = evaluation.metrics["hits"].sum(axis=-1)
    assert hits.sum() > 0
    np.testing.assert_allclose(evaluation.peace, 2 - hits / 20, rtol=1e-6)
    ate = evaluation.metrics["apples"].sum(axis=-1) > 0
    assert ate.any() and not ate.all()
    np.testing.assert_array_equal(np.isfinite(evaluation.sustainability), ate)
    assert (evaluation.sustainability[ate] < 20).all()
    assert evaluation.rows()[0]["sustainability"] == pytest.approx(np.nanmean(evaluation.sustainability[0]))


def test_it_says_what_it_is_in_one_line(evaluation):
    first, second = evaluation.collective_return.mean(axis=1)
    returns = f"return {(first + second) / 2:.3g} \\+- {abs(first - second) / np.sqrt(2):.2g}"
    numbers = r"[\d.e-]+ \+- [\d.e-]+"
    expected = f"Evaluation of 3 episodes of each of 2 members with 2 agents, {returns}, equality {numbers}, influence {numbers}"
    assert re.fullmatch(expected, repr(evaluation)), repr(evaluation)
    assert mean_and_spread(np.array([np.nan, 2.0])) == "2" and mean_and_spread(np.array([np.nan])) == "none"


def test_it_has_a_row_for_each_member(evaluation):
    first, second = evaluation.rows()
    assert (first["member"], second["member"]) == (0, 1) and second["fires"] == 40
    assert first["return"] == pytest.approx(evaluation.collective_return[0].mean())
    assert first["std"] == pytest.approx(evaluation.collective_return[0].std())
    assert evaluation._repr_html_().count("<tr>") == 3


def test_who_always_does_the_same_has_no_influence(evaluation):
    assert (evaluation.influence[0] > 0).any()
    np.testing.assert_allclose(evaluation.influence[1], 0, atol=1e-9)


def test_the_seed_fixes_the_games(learner, state, evaluation):
    again, other = (evaluate(learner, state, num_episodes=3, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(evaluation.agent_returns, again.agent_returns)
    assert (evaluation.metrics["apples"] != other.metrics["apples"]).any()


def test_a_game_that_ends_early_counts_once(tiny):
    learner = make_learner(
        dataclasses.replace(tiny, env=STIPEND, influence=InfluenceConfig(), hyperparams=Hyperparams())
    )
    state = init_population(learner)
    assert (evaluate(learner, state, num_episodes=2).agent_returns == 10).all()
    short = dataclasses.replace(learner, env=Short())
    found = evaluate(short, state, num_episodes=2)
    assert (found.agent_returns == 3).all()
    assert np.isnan(found.peace).all() and not {"peace", "sustainability"} & found.rows()[0].keys()


def test_influence_is_a_mean_over_the_steps_of_a_game_that_ends_early(tiny):
    """The idle step after the end does not count: with an influence of 1 on all N agents, including oneself, the mean is N."""
    learner = make_learner(dataclasses.replace(tiny, env=STIPEND))

    def ones(trajectory, bootstrap):
        influence = trajectory.actor_output.influence
        return jnp.where(trajectory.valid[..., None, None], jnp.ones_like(influence), 0.0)

    model = dataclasses.replace(learner.model, influence_of_choices=ones)
    learner = dataclasses.replace(learner, env=Short(), model=model)
    found = evaluate(learner, init_population(learner), num_episodes=2)
    np.testing.assert_allclose(found.influence, learner.env.spec.num_agents, rtol=1e-6)
