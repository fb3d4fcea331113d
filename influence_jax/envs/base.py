"""The environment interface: dynamics are a pure function, and randomness is an argument."""

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from influence_jax.batching import replaced_where
from influence_jax.platforms import usual_promotion
from influence_jax.settings import ConfigError, settings_repr
from influence_jax.types import EnvSpec, TimeStep


class Environment(abc.ABC):
    """A partially observed stochastic game, written as a structural causal model.

    Subclasses implement four pure functions: `initial_state`, `sample_noise`, `dynamics` and `observe`. The functions that
    callers use, `reset`, `step` and others, follow from these. All functions are for a single environment and are meant to be
    vmapped. ``params`` is a pytree of traced numbers, so it may be vmapped, too; shapes are static attributes of the
    environment.

    Actions are integers. An integer that is not an action of the game, negative or too large, does nothing. A state must have
    ``time i32[]``, the number of steps taken in the current episode. A class whose rules change raises its ``version``, which
    runs record, so that runs under other rules are told apart.

    >>> env = influence_jax.make("harvest", num_agents=2)
    >>> state, timestep = env.reset(jax.random.key(0), env.default_params)
    >>> state, timestep = env.step(jax.random.key(1), state, jax.numpy.array([0, 7]), env.default_params)
    >>> timestep.reward
    Array([ 0., -1.], dtype=float32)
    """

    version: ClassVar[int] = 0

    def __repr__(self) -> str:
        spec = self.spec
        view = " x ".join(map(str, spec.observation_shape[:2]))
        sizes = f"{spec.num_agents} agents, views of {view}, {spec.horizon} steps"
        return f"{settings_repr(self)}: {sizes}, actions {', '.join(spec.action_names)}"

    @property
    @abc.abstractmethod
    def spec(self) -> EnvSpec:
        """The static facts of the game."""

    @property
    @abc.abstractmethod
    def default_params(self) -> Any:
        """The parameters of the original game, such as rates, thresholds and fines."""

    @abc.abstractmethod
    def initial_state(self, key: jax.Array, params: Any) -> Any:
        """Sample the state at the start of an episode."""

    @abc.abstractmethod
    def sample_noise(self, key: jax.Array, params: Any) -> Any:
        """Sample all random numbers of one step, as a pytree."""

    @abc.abstractmethod
    def dynamics(
        self, state: Any, actions: jax.Array, noise: Any, params: Any
    ) -> tuple[Any, jax.Array, jax.Array, dict[str, jax.Array]]:
        """Return ``(state, reward f32[N], discount f32[], metrics {name: f32[N]})`` after ``actions i32[N]``."""

    @abc.abstractmethod
    def observe(self, state: Any) -> tuple[jax.Array, jax.Array]:
        """Return ``(observation u8[N,V,V,3], visible bool[N,N])`` for a state."""

    @usual_promotion()
    def reset(self, key: jax.Array, params: Any) -> tuple[Any, TimeStep]:
        """Start an episode and return ``(state, timestep)``."""
        state = self.initial_state(key, params)
        return state, self._restart(state)

    @usual_promotion()
    def transition(self, state: Any, actions: jax.Array, noise: Any, params: Any) -> tuple[Any, TimeStep]:
        """Take one step under given noise. The same noise with other actions gives the counterfactual.

        Raises:
            ConfigError: ``actions`` are not i32[N].
        """
        self._check(actions)
        state, reward, discount, metrics = self.dynamics(state, actions, noise, params)
        observation, visible = self.observe(state)
        return state, TimeStep(
            observation=observation,
            reward=reward,
            discount=discount,
            first=jnp.zeros((), bool),
            truncated=(state.time >= self.spec.horizon) & (discount > 0),
            visible=visible,
            metrics=metrics,
        )

    @usual_promotion()
    def step(self, key: jax.Array, state: Any, actions: jax.Array, params: Any) -> tuple[Any, TimeStep]:
        """Take one step, a `transition` under freshly sampled noise, and return ``(state, timestep)``."""
        return self.transition(state, actions, self.sample_noise(key, params), params)

    @usual_promotion()
    def step_or_reset(
        self, key: jax.Array, state: Any, timestep: TimeStep, actions: jax.Array, params: Any
    ) -> tuple[Any, TimeStep]:
        """Take one step, or start a new episode if ``timestep`` was the last of its episode (``actions`` are then ignored).

        The final observation of an episode is therefore seen, and values can bootstrap from it, at the price of one idle step per
        episode. The state is selected first, so that the observation is computed only once.
        """
        self._check(actions)
        # One key is enough, since only one of the two results is used.
        stepped, reward, discount, metrics = self.dynamics(state, actions, self.sample_noise(key, params), params)
        over = timestep.last
        state = replaced_where(over, self.initial_state, (key, params), stepped)
        observation, visible = self.observe(state)
        return state, TimeStep(
            observation=observation,
            reward=jnp.where(over, 0.0, reward),
            discount=jnp.where(over, 1.0, discount),
            first=over,
            truncated=~over & (state.time >= self.spec.horizon) & (discount > 0),
            visible=visible,
            metrics={name: jnp.where(over, 0.0, value) for name, value in metrics.items()},
        )

    def _check(self, actions: jax.Array) -> None:
        """Refuse shapes that NumPy's rules would broadcast over the agents."""
        shape, dtype = jnp.shape(actions), jnp.result_type(actions)
        if shape != (self.spec.num_agents,) or not jnp.issubdtype(dtype, jnp.integer):
            raise ConfigError(
                f"actions are {dtype}{list(shape)} for one game of {self.spec.num_agents} agents; allowed: whole numbers "
                f"[{self.spec.num_agents}], and jax.vmap for several games."
            )

    def _restart(self, state: Any) -> TimeStep:
        observation, visible = self.observe(state)
        nothing = jnp.zeros((self.spec.num_agents,), jnp.float32)
        return TimeStep(
            observation=observation,
            reward=nothing,
            discount=jnp.ones((), jnp.float32),
            first=jnp.ones((), bool),
            truncated=jnp.zeros((), bool),
            visible=visible,
            metrics=dict.fromkeys(self.spec.metric_names, nothing),
        )
