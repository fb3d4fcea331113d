"""A person at one seat: the episode is that of `play`, and the map says what there is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.envs import make, registered, scripted
from influence_jax.evaluation.by_hand import QUIT, Session, draw, keys_of
from influence_jax.evaluation.play import play
from tests.conftest import TINY_MAP


def test_every_action_has_a_key_of_its_own():
    for name in registered():
        names = make(name).spec.action_names
        keys = keys_of(names)
        assert sorted(keys.values()) == list(range(len(names))) and QUIT not in keys
    assert keys_of(("left", "forward", "stay", "clean")) == {"a": 0, "w": 1, " ": 2, "c": 3}
    assert keys_of(("quit", "q_u", "qu")) == {"u": 0, "0": 1, "1": 2}


def test_the_episode_is_that_of_play(runs):
    """Trained agents see what the person does."""
    actions = np.random.default_rng(0).integers(0, 8, 20)

    def recorded(key, env, state):
        del key
        return jnp.full(env.spec.num_agents, jnp.asarray(actions)[state.time])

    policy = runs["moa"].policy(0)
    trace, session = play([policy, recorded, policy], seed=3), Session(policy, policy.learner.env, seat=1, seed=3)
    for time, action in enumerate(actions):
        assert not session.over and session.time == time
        session.step(action)
        np.testing.assert_array_equal(session.actions, trace.actions[time])
    np.testing.assert_allclose(session.returns, trace.rewards.sum(axis=0))
    assert session.over and session.returns.any()


def test_a_map_in_letters():
    env = make("cleanup", layout=("@@@@@@", "@PHRS@", "@PB  @", "@@@@@@"), num_agents=2)
    state = env.reset(jax.random.key(0), env.default_params)[0]
    beams = np.zeros((4, 6), np.uint8)
    beams[1, 3], beams[2, 3], beams[2, 4] = 1, 2, 1
    state = dataclasses.replace(
        state,
        position=jnp.array([[1, 1], [2, 4]]),
        heading=jnp.array([1, 2]),
        apples=jnp.zeros((4, 6), bool).at[2, 2].set(True),
        waste=jnp.zeros((4, 6), bool).at[1, 2].set(True),
        beams=jnp.asarray(beams),
    )
    text = draw(env, state)
    assert text.plain.splitlines() == ["############", "##>0%%**~ ##", "##  ()::v1##", "############"]
    agents = {text.plain[span.start : span.end]: str(span.style).split()[-1] for span in text.spans}
    assert agents[">0"] == "#0072b2" and agents["v1"] == "#e69f00"


def test_the_colours_of_a_games_own():
    env = make("coins")
    text = draw(env, env.reset(jax.random.key(0), env.default_params)[0])
    assert len(text.plain.splitlines()) == 5 and text.plain.count("aa") + text.plain.count("bb") == 1


def test_a_game_without_a_map():
    session = Session(scripted.uniform, make("matrix", horizon=3))
    session.step(0)
    lines = session.picture().plain.splitlines()
    earned = {0: 3, 1: 0}[int(session.actions[1])]
    assert lines[0] == "step 1 of 3" and lines[1] == f"agent 0 return {earned}, did cooperate (you)"
    assert lines[-1] == "c cooperate, d defect, q quit"


def test_refusals():
    with pytest.raises(ConfigError, match="agent is 2; allowed: whole numbers from 0 to 1"):
        Session(scripted.greedy, make("harvest", layout=TINY_MAP, num_agents=2), seat=2)
