"""Our games pass PettingZoo's own tests, and their episodes arrive whole."""

import importlib
import sys

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from influence_jax.envs import make
from influence_jax.interop import pettingzoo
from influence_jax.interop.pettingzoo import PettingZooGame
from influence_jax.settings import ConfigError

SMALL = {"horizon": 12, "view_radius": 2}


@pytest.mark.parametrize("name", ["cleanup", "harvest", "box-trapped"])
def test_their_own_tests_pass(name):
    parallel_api_test(PettingZooGame(make(name, **SMALL)), num_cycles=20)
    parallel_seed_test(lambda: PettingZooGame(make(name, **SMALL)), num_cycles=5)


def test_a_step_is_what_the_rules_say():
    env = PettingZooGame(make("harvest", num_agents=2, **SMALL), {"fire_cost": 3})
    observations, infos = env.reset(seed=1)
    assert env.observation_space("agent_1").contains(observations["agent_1"]) and infos["agent_0"]["fires"] == 0
    stay, fire = (env.game.spec.action_names.index(name) for name in ("stay", "fire"))
    observations, rewards, terminations, truncations, infos = env.step({"agent_1": fire, "agent_0": stay})
    paid = {agent: info["apples"] - 3 * info["fires"] - 50 * info["hits"] for agent, info in infos.items()}
    assert rewards == paid and infos["agent_1"]["fires"] == 1 and infos["agent_0"]["fires"] == 0
    assert terminations == truncations == {"agent_0": False, "agent_1": False}
    assert env.render().shape == (16 * 16, 16 * 38, 3)


@pytest.mark.parametrize(("game", "terminated"), [("Severance", True), ("Stipend", False)])
def test_the_end_of_a_game_is_no_horizon(game, terminated):
    env = PettingZooGame(make(f"influence_jax.envs.probes:{game}", horizon=3))
    assert PettingZooGame(make("cleanup")).render() is None  # before the first episode
    env.reset(seed=0)
    ends = [env.step(dict.fromkeys(env.agents, 0))[2:4] for _ in range(3)]
    assert [end[0]["agent_0"] for end in ends] == [False, False, terminated]
    assert [end[1]["agent_0"] for end in ends] == [False, False, not terminated]
    assert env.agents == [] and env.render() is None


def test_chance_goes_on_without_a_seed_and_again_with_it():
    env = PettingZooGame(make("influence_jax.envs.probes:Cue", num_agents=8))
    first, second, again = (env.reset(seed=seed)[0] for seed in (7, None, 7))
    assert all((first[agent] == again[agent]).all() for agent in env.agents)
    assert any((first[agent] != second[agent]).any() for agent in env.agents)
    unseeded = [PettingZooGame(env.game).reset()[0] for _ in range(2)]
    assert any((unseeded[0][agent] != unseeded[1][agent]).any() for agent in env.agents)


def test_wrong_calls():
    env = PettingZooGame(make("influence_jax.envs.probes:Cue"))
    with pytest.raises(ConfigError, match="actions are for agent_0; allowed: none before `reset`"):
        env.step({"agent_0": 0})
    with pytest.raises(ConfigError, match="seed is -1; allowed: whole numbers"):
        env.reset(seed=-1)
    env.reset(seed=np.int64(2))
    with pytest.raises(ConfigError, match="actions are for agent_0; allowed: agent_0, agent_1"):
        env.step({"agent_0": 0})
    with pytest.raises(ConfigError, match=r"params.toll is not a parameter of this game"):
        PettingZooGame(env.game, {"toll": 1})


def test_it_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(ImportError, match=r"install it: pip install 'influence_jax\[pettingzoo\]'"):
        importlib.reload(pettingzoo)
