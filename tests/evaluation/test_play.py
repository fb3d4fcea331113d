"""Who may play in a game, and that all play as they did in training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError, EnvConfig, Hyperparams, InfluenceConfig
from influence_jax.envs import make, scripted
from influence_jax.evaluation.play import play
from influence_jax.evaluation.policy import Policy
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.population import init_population
from tests.conftest import TINY_MAP
from tests.evaluation.own_models import Short

TURN = 5


def always(action):
    def player(key, env, state):
        del key, state
        return jnp.full(env.num_agents, action)

    return player


def assert_same(a, b):
    for name in ("actions", "rewards", "log_policy", "influence"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_agents_side_by_side_are_a_team(runs):
    run = runs["moa"]
    a, b = run.policy(0), run.policy(1)
    assert_same(play([a, a[1], a]), run.trace(0))
    mixed = play([a, a, b])
    assert (mixed.log_policy[0, :2] == run.trace(0).log_policy[0, :2]).all()
    assert (mixed.log_policy[0, 2] == run.trace(1).log_policy[0, 2]).all()
    assert (mixed.log_policy[0, 2] != run.trace(0).log_policy[0, 2]).any()
    np.testing.assert_array_equal(play([b[2], a, b[0]]).log_policy[0, 1], run.trace(0).log_policy[0, 1])


def test_agents_of_other_kinds_play_as_if_at_home(runs):
    """Treating a copy of a run as another kind changes nothing except influence between kinds, which cannot be measured."""
    run = runs["basic"]
    stranger = Policy(
        dataclasses.replace(run.learner, network=dataclasses.replace(run.learner.network)), run.policy(0).member
    )
    stranger = dataclasses.replace(
        stranger,
        learner=dataclasses.replace(stranger.learner, configured=stranger.learner.configured | {"network": None}),
    )
    assert stranger.learner.replaced
    home, mixed = run.trace(0), play([run.policy(0), run.policy(0), stranger])
    np.testing.assert_array_equal(mixed.actions, home.actions)
    np.testing.assert_allclose(mixed.log_policy, home.log_policy, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mixed.influence[:, 0, 1], home.influence[:, 0, 1], rtol=1e-3, atol=1e-5)
    assert (home.influence[:, 0, 2] > 0).any() and not mixed.influence[:, 0, 2].any()
    with pytest.raises(ConfigError, match="moments asks for trained agents of one kind"):
        mixed.moments()


def test_models_of_others_see_what_strangers_really_do(runs):
    run = runs["moa"]
    trace = play([run.policy(0), run.policy(0), always(TURN)])
    assert (trace.actions[:, 2] == TURN).all() and np.isnan(trace.log_policy[:, 2]).all()
    memory = trace.team.agent_states.memory[1:, 0]
    np.testing.assert_array_equal(memory, trace.actions)
    assert not trace.influence[:, 2].any() and (trace.influence[:, :2, 2] > 0).any()


def test_who_acts_first_may_be_a_function(runs):
    run = runs["basic"]
    acting, idle = (play([always(action), run.policy(0), run.policy(0)]) for action in (TURN, 4))
    assert (acting.actions[:, 0] == TURN).all() and not acting.influence.any()
    assert np.abs(acting.log_policy[0, 1] - idle.log_policy[0, 1]).max() > 1e-3  # seen in the very same step


def test_players_alone():
    env = make("harvest", layout=TINY_MAP, num_agents=3, horizon=30)
    trace = play(scripted.greedy, env, seed=2)
    assert len(trace) == 30 and trace.metrics["apples"].sum() > 0 and not trace.influence.any()
    both = play([scripted.greedy, always(TURN), scripted.greedy], env, seed=2)
    assert (both.actions[:, 1] == TURN).all() and both.metrics["apples"][:, 1].sum() == 0


def test_a_game_that_ends_early_ends(tiny):
    game = EnvConfig("influence_jax.envs.probes:Stipend", horizon=10)
    small = dataclasses.replace(tiny, env=game, influence=InfluenceConfig(), hyperparams=Hyperparams())
    learner = dataclasses.replace(make_learner(small), env=Short())
    policy = Policy(learner, jax.tree.map(lambda x: x[0], init_population(learner).member))
    trace = play(policy)
    assert len(trace) == 3 and trace.states.time.tolist() == [0, 1, 2, 3] and (trace.rewards == 1).all()
    with pytest.raises(ConfigError, match="Short draws no images; allowed: games on a map"):
        trace.frame(0)


def test_refusals(runs):
    policy = runs["moa"].policy(0)
    with pytest.raises(ConfigError, match="seed is -1; allowed: whole numbers from 0"):
        play(policy, seed=-1)
    with pytest.raises(ConfigError, match=r"params.hit_penlty is not a parameter .* Did you mean 'hit_penalty'"):
        play(policy, params={"hit_penlty": 0})
    with pytest.raises(
        ConfigError, match=r"agents\[0\] fails \(TracerArrayConversionError.*jax.numpy in the place of NumPy"
    ):
        play(lambda key, env, state: np.asarray(state.heading), policy.learner.env)
    with pytest.raises(ConfigError, match=r"agents\[0\] returned float32\[\]; allowed: .* int32\[3\]"):
        play(lambda key, env, state: jnp.float32(1), policy.learner.env)


def test_the_parameters_of_training_are_those_of_play(runs):
    """A game of the same kind uses the policy's own parameters, even if the caller passes the game."""
    policy = runs["moa"].policy(0)
    env, params = policy.learner.env, policy.member.env_params
    cheap = Policy(policy.learner, policy.member.replace(env_params=params.replace(fire_cost=0.5, hit_penalty=0.0)))
    home = play(cheap)
    fires = home.metrics["fires"]
    assert fires.sum() > 0
    np.testing.assert_array_equal(home.rewards, home.metrics["apples"] - 0.5 * fires)
    same = make("harvest", num_agents=3, horizon=20, layout=TINY_MAP, view_radius=2)
    assert same is not env
    np.testing.assert_array_equal(play(cheap, same).rewards, home.rewards)
    dear = play(cheap, same, params={"fire_cost": 2})
    np.testing.assert_array_equal(dear.rewards, dear.metrics["apples"] - 2 * dear.metrics["fires"])
    np.testing.assert_array_equal(play(cheap, params=params).rewards, play(policy).rewards)
