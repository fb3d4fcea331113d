"""Games as environments of JaxMARL, for its learners and wrappers."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.envs import Environment, with_numbers

try:
    from jaxmarl.environments import spaces
    from jaxmarl.environments.multi_agent_env import MultiAgentEnv
except ImportError as error:
    raise ImportError(
        "JaxMARL, whose interface this is, is not installed; install it: pip install 'influence_jax[jaxmarl]'."
    ) from error


class JaxMARLGame(MultiAgentEnv):
    """A game with the interface of `jaxmarl.environments.MultiAgentEnv`.

    Agents are called ``"agent_0"``, ``"agent_1"``, ... Observations are u8[V,V,3], and infos hold the metrics of the step,
    f32[N]. ``step`` is that of the base class: the step that ends an episode already returns the state and the observations
    of the next one, so there is no idle step. JaxMARL does not tell a horizon from the end of a game; at both, ``dones`` are
    true, and its learners do not bootstrap.

    Args:
        game: such as ``influence_jax.make("cleanup", num_agents=3)``.
        params: environment parameters that differ from the game's own, ``{"hit_penalty": 0}``.

    Raises:
        ConfigError: a parameter is unknown, or has a value that is not allowed.
    """

    def __init__(self, game: Environment, params: Mapping[str, Any] | None = None) -> None:
        spec = game.spec
        super().__init__(spec.num_agents)
        self.game, self.params = game, with_numbers("params", game.default_params, params or {})
        seen, choices = spaces.Box(0, 255, spec.observation_shape, jnp.uint8), spaces.Discrete(spec.num_actions)
        self.observation_spaces = dict.fromkeys(self.agents, seen)
        self.action_spaces = dict.fromkeys(self.agents, choices)

    @property
    def name(self) -> str:
        """The name of the game's class."""
        return type(self.game).__name__

    @property
    def agent_classes(self) -> dict[str, list[str]]:
        """All agents are of one class."""
        return {"agents": self.agents}

    @functools.partial(jax.jit, static_argnums=0)
    def reset(self, key: jax.Array) -> tuple[dict[str, jax.Array], Any]:
        """Start an episode; return observations by agent, and the state, which is the game's own."""
        state, timestep = self.game.reset(key, self.params)
        return self._by_agent(timestep.observation), state

    def step_env(
        self, key: jax.Array, state: Any, actions: Mapping[str, jax.Array]
    ) -> tuple[dict, Any, dict, dict, dict]:
        """Take one step without a reset; return observations, state, rewards, dones and infos."""
        chosen = jnp.stack([jnp.asarray(actions[agent], jnp.int32) for agent in self.agents])
        state, timestep = self.game.step(key, state, chosen, self.params)
        dones = dict.fromkeys([*self.agents, "__all__"], timestep.last)
        observations, rewards = self._by_agent(timestep.observation), self._by_agent(timestep.reward)
        return observations, state, rewards, dones, dict(timestep.metrics)

    def get_obs(self, state: Any) -> dict[str, jax.Array]:
        """Return the observations of a state by agent."""
        return self._by_agent(self.game.observe(state)[0])

    @functools.partial(jax.jit, static_argnums=0)
    def get_avail_actions(self, state: Any) -> dict[str, jax.Array]:
        """Return bool[A] by agent: every action is available in every state."""
        del state
        return dict.fromkeys(self.agents, jnp.ones(self.game.spec.num_actions, bool))

    def _by_agent(self, values: jax.Array) -> dict[str, jax.Array]:
        return dict(zip(self.agents, values, strict=True))
