"""Games as parallel environments of PettingZoo, for learners that are not written in JAX."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from influence_jax.envs import Environment, with_numbers
from influence_jax.settings import ConfigError, Integers, checked

try:
    from gymnasium import spaces
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise ImportError(
        "PettingZoo, whose interface this is, is not installed; install it: pip install 'influence_jax[pettingzoo]'."
    ) from error


class PettingZooGame(ParallelEnv):
    """A game with the interface of `pettingzoo.ParallelEnv`.

    Agents are called ``"agent_0"``, ``"agent_1"``, ... Observations are u8[V,V,3], rewards are unscaled, and the info of an
    agent holds its metrics of the step. All agents leave together: by truncation at the horizon, by termination where the
    game itself ends. A game on a map renders as ``"rgb_array"``.

    Args:
        game: such as ``influence_jax.make("cleanup", num_agents=3)``.
        params: environment parameters that differ from the game's own, ``{"hit_penalty": 0}``.

    Raises:
        ConfigError: a parameter is unknown, or has a value that is not allowed.
    """

    def __init__(self, game: Environment, params: Mapping[str, Any] | None = None) -> None:
        self.game, self.params = game, with_numbers("params", game.default_params, params or {})
        self._draw = getattr(game, "render", None)
        self.render_mode = "rgb_array" if self._draw else None
        self.metadata = {"name": type(game).__name__, "render_modes": [self.render_mode] if self.render_mode else []}
        self.possible_agents = [f"agent_{number}" for number in range(game.spec.num_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: spaces.Box(0, 255, game.spec.observation_shape, np.uint8) for agent in self.possible_agents
        }
        self.action_spaces = {agent: spaces.Discrete(game.spec.num_actions) for agent in self.possible_agents}
        self._key: Any = None
        self._state: Any = None

    def observation_space(self, agent: str) -> spaces.Space:
        """Return the space of an agent's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """Return the space of an agent's actions."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        """Start an episode; return observations and infos by agent. Without a seed, chance goes on where it was."""
        del options
        if seed is not None or self._key is None:
            seed = np.random.SeedSequence().generate_state(1)[0] >> 1 if seed is None else seed
            self._key = jax.random.key(checked("seed", seed, Integers(0)))
        self.agents = list(self.possible_agents)
        timestep = self._advance(_reset)
        return self._by_agent(timestep.observation), self._infos(timestep)

    def step(self, actions: Mapping[str, int]) -> tuple[dict, dict, dict, dict, dict]:
        """Take the actions of all agents; return observations, rewards, terminations, truncations and infos by agent.

        Raises:
            ConfigError: the episode is over, or an agent has no action.
        """
        if not self.agents or set(actions) != set(self.agents):
            expected = ", ".join(self.agents) or "none before `reset`"
            raise ConfigError(f"actions are for {', '.join(actions) or 'no agents'}; allowed: {expected}.")
        timestep = self._advance(_step, np.array([actions[agent] for agent in self.agents]))
        ended, truncated = bool(timestep.discount == 0), bool(timestep.truncated)
        results = self._by_agent(timestep.observation), self._by_agent(timestep.reward.tolist())
        results += dict.fromkeys(self.agents, ended), dict.fromkeys(self.agents, truncated), self._infos(timestep)
        self.agents = [] if timestep.last else self.agents
        return results

    def render(self) -> np.ndarray | None:
        """Return u8[H,W,3], the whole map seen from above; None for a game without a map, and before the first `reset`."""
        if self._state is None:
            return None
        return self._draw(self._state) if self._draw else None

    def _advance(self, function: Any, *actions: np.ndarray) -> Any:
        self._key, key = jax.random.split(self._key)
        before = (self._state, *actions) if actions else ()
        self._state, timestep = function(self.game, key, *before, self.params)
        return jax.device_get(timestep)

    def _by_agent(self, values: Any) -> dict[str, Any]:
        return dict(zip(self.agents, values, strict=True))

    def _infos(self, timestep: Any) -> dict[str, dict[str, float]]:
        metrics = {name: values.tolist() for name, values in timestep.metrics.items()}
        return self._by_agent([{name: values[n] for name, values in metrics.items()} for n in range(len(self.agents))])


# Compiled once for all games of the same settings.


@functools.partial(jax.jit, static_argnums=0)
def _reset(game: Environment, key: jax.Array, params: Any) -> Any:
    return game.reset(key, params)


@functools.partial(jax.jit, static_argnums=0)
def _step(game: Environment, key: jax.Array, state: Any, actions: jax.Array, params: Any) -> Any:
    return game.step(key, state, actions, params)
