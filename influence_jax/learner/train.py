"""A learner: the pure functions that a configuration turns into."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from influence_jax import envs, influence, rewards
from influence_jax.config import ConfigError, ExperimentConfig, Hyperparams, validate
from influence_jax.envs.base import Environment
from influence_jax.influence.base import InfluenceModel
from influence_jax.learner.optimizer import make_optimizer
from influence_jax.learner.rollout import start
from influence_jax.learner.update import LearnerState, update
from influence_jax.metrics import init_episode_sums
from influence_jax.networks.agent import AgentNetwork, NetworkFunctions


@dataclasses.dataclass(frozen=True, eq=False)
class Learner:
    """What stays fixed while a member of the population learns. Hashed by identity: jit takes it as a static argument."""

    config: ExperimentConfig
    env: Environment
    env_params: Any
    model: InfluenceModel
    network: NetworkFunctions
    optimizer: optax.GradientTransformation

    def init(self, key: jax.Array) -> LearnerState:
        """Start one member: parameters, environments and statistics, all from one key."""
        params_key, actors_key, run_key = jax.random.split(key, 3)
        spec, num_envs = self.env.spec, self.config.learner.num_envs
        init = functools.partial(self.network.init, observation_shape=spec.observation_shape)
        params = jax.vmap(init)(jax.random.split(params_key, spec.num_agents))
        rollout_state = start(self.env, self.env_params, self.network, self.model, num_envs, actors_key)
        return LearnerState(
            params=params,
            opt_state=jax.vmap(self.optimizer.init)(params),
            rollout_state=rollout_state,
            reward_scale=dict.fromkeys(self.model.network_spec.heads, rewards.init_scale(num_envs, spec.num_agents)),
            smoothed_reward=jnp.zeros((num_envs, spec.num_agents)),
            episode_sums=init_episode_sums(
                num_envs, spec.num_agents, spec.metric_names, rollout_state.env_state.time == 0
            ),
            key=run_key,
            update=jnp.zeros((), jnp.int32),
        )

    def chunk(self, state: LearnerState, hparams: Hyperparams, num_updates: jax.Array):
        """Do ``log_interval`` updates of one member; return ``(state, {name: mean over the chunk})``."""

        def step(state, _):
            return update(self, state, hparams, num_updates)

        state, logs = jax.lax.scan(step, state, length=self.config.log_interval)
        logs = jax.tree.map(lambda x: x.sum(axis=0), logs)
        return state, {name: mean.value() for name, mean in logs.items()}


def make_learner(config: ExperimentConfig) -> Learner:
    """Check the configuration and build everything that does not change during a run."""
    validate(config)
    try:
        env = envs.make(config.env.name, **config.env.options())
    except ValueError as error:
        raise ConfigError(f"env: {error}") from error
    model = influence.make(config.influence, env.spec.num_agents, env.spec.num_actions)
    return Learner(
        config=config,
        env=env,
        env_params=env.default_params,
        model=model,
        network=NetworkFunctions(AgentNetwork(config.network, model.network_spec)),
        optimizer=make_optimizer(config.learner.optimizer),
    )
