"""The training of one member as two pure functions: its first state, and the updates up to the next log point."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, Hyperparams
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import init_rollout
from influence_jax.learner.sight import share_of_the_knowable
from influence_jax.learner.state import LearnerState
from influence_jax.learner.update import update
from influence_jax.metrics import init_episode_sums
from influence_jax.platforms import usual_promotion
from influence_jax.rewards import RewardScale, init_income, init_scale


@usual_promotion()
def init(
    learner: Learner, key: jax.Array, hyperparams: Hyperparams | None = None, env_params: Any = None
) -> LearnerState:
    """Return the first state of one member: parameters, environments and statistics. A pure function, as `train_step` is.

    Args:
        learner: from `make_learner`.
        key: a typed key; a run with seed 7 uses ``jax.random.key(7)``.
        hyperparams: f32[], or f32[N] with one value per agent; from the configuration by default.
        env_params: the environment parameters; from the configuration by default.

    Example:
        >>> start = jax.jit(jax.vmap(lambda seed: influence_jax.init(learner, jax.random.key(seed))))
        >>> state = start(jax.numpy.arange(2))
    """
    params_key, rollout_key, run_key = jax.random.split(key, 3)
    spec, num_envs = learner.env.spec, learner.num_envs
    env_params = learner.env_params if env_params is None else env_params
    init_params = functools.partial(learner.network.init, observation_shape=spec.observation_shape)
    keys = jax.random.split(params_key, spec.num_agents)
    params = jax.vmap(init_params)(jnp.broadcast_to(keys[0], keys.shape) if learner.share_parameters else keys)
    rollout_state = init_rollout(learner, env_params, rollout_key, num_envs, staggered=True)
    whole = rollout_state.env_state.time == 0
    return LearnerState(
        params=params,
        opt_state=jax.vmap(learner.optimizer.init)(params),
        rollout_state=rollout_state,
        reward_scale=dict.fromkeys(learner.model.network_spec.heads, init_scale(num_envs, spec.num_agents)),
        income=init_income() if learner.pays_income_share else None,
        episode_sums=init_episode_sums(num_envs, spec.num_agents, spec.metric_names, whole),
        hyperparams=per_agent(learner.config.hyperparams if hyperparams is None else hyperparams, spec.num_agents),
        env_params=env_params,
        key=run_key,
        update=jnp.zeros((), jnp.int32),
        failure=jnp.zeros((), jnp.int32),
    )


def warm_start(learner: Learner, state: LearnerState, other: Learner, trained: LearnerState) -> LearnerState:
    """Return the state of all members, leading S, with the parameters of another run and its scale of values.

    ``trained`` has as many members, or one that serves all. If both runs scale rewards, the statistics of the scale continue from
    the other run. If only the other one did, its value heads are rescaled so that values keep their meaning in rewards.

    Raises:
        ConfigError: agents that share parameters would start from agents that do not, or a network cannot be rescaled.
    """
    if learner.share_parameters and not other.share_parameters:
        raise ConfigError(
            "learner.share_parameters is True after a run of agents with parameters of their own; allowed: False."
        )

    def spread(tree, like):
        return jax.tree.map(lambda x, y: jnp.broadcast_to(x, y.shape), tree, like)

    params = spread(trained.params, state.params)
    if not other.scale_rewards:
        return dataclasses.replace(state, params=params)
    if not learner.scale_rewards:
        units = {head: jax.vmap(RewardScale.std)(x) for head, x in trained.reward_scale.items()}
        return dataclasses.replace(state, params=rescaled_values(params, units))
    scale = {
        head: dataclasses.replace(
            x,
            weight=spread(trained.reward_scale[head].weight, x.weight),
            mean=spread(trained.reward_scale[head].mean, x.mean),
            square=spread(trained.reward_scale[head].square, x.square),
        )
        for head, x in state.reward_scale.items()
    }
    return dataclasses.replace(state, params=params, reward_scale=scale)


def rescaled_values(params: dict, units: dict[str, jax.Array]) -> dict:
    """Return parameters, leading [S,N], with the output of each head's value head multiplied by its unit ``f32[S,N]``."""
    params = dict(params)
    for head, unit in units.items():
        name = "value_head" if head == "action" else f"{head}_value_head"
        if name not in params:
            raise ConfigError(
                "learner.reward_scaling is 'none' after a run with 'running_std', whose values have to be rescaled, but the "
                f"network has no parameters {name!r}; allowed: 'running_std'."
            )
        kernel, bias = params[name]["kernel"], params[name]["bias"]
        params[name] = {"kernel": unit[..., None, None] * kernel, "bias": unit[..., None] * bias}
    return params


def per_agent(hyperparams: Hyperparams, num_agents: int) -> Hyperparams:
    """Return the hyper-parameters of one member as f32[N] each."""
    return jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x, jnp.float32), (num_agents,)), hyperparams)


@usual_promotion()
def train_step(
    learner: Learner, state: LearnerState, num_updates: jax.Array | None = None
) -> tuple[LearnerState, dict[str, jax.Array]]:
    """Do ``config.log_interval`` updates of one member and return its new state and its metrics.

    This pure function may be jitted, vmapped over members, scanned or sharded; `influence_jax.train` is a host loop around it.

    Args:
        learner: from `make_learner`.
        state: from `init` or the previous call.
        num_updates: f32[], length of the whole run in updates, to which schedules refer; from the configuration by default.

    Returns:
        The state, and means over the updates: f32[], or f32[N] for per-agent metrics. NaN if a metric was not measured.

    Example:
        >>> state = jax.jit(functools.partial(influence_jax.init, learner))(jax.random.key(0))
        >>> state, metrics = jax.jit(functools.partial(influence_jax.train_step, learner))(state)
    """
    length = num_updates
    if length is None:  # like an argument, so that no compiler turns the division into a product
        length = jax.lax.optimization_barrier(jnp.float32(learner.config.num_updates))

    def step(state, _):
        return update(learner, state, length)

    state, logs = jax.lax.scan(step, state, length=learner.log_interval)
    logs = jax.tree.map(lambda x: x.sum(axis=0), logs)
    logs = {name: mean.value() for name, mean in logs.items()}
    vectors = {name: logs.pop(name) for name in list(logs) if name.startswith("gradient/")}
    return state, logs | share_of_the_knowable(logs) | gradient_shares(vectors)


def gradient_shares(vectors: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Return ``{"gradient_share_<module>_<term>": f32[]}``: each term's share of the summed gradient norms, mean over agents.

    ``vectors`` are mean gradients f32[N,P] named ``"gradient/<module>/<term>"``.
    """
    norms = {tuple(name.split("/")[1:]): jnp.linalg.norm(x, axis=-1) for name, x in vectors.items()}
    shares = {}
    for (module, term), norm in norms.items():
        total = sum(other for (place, _), other in norms.items() if place == module)
        shares[f"gradient_share_{module}_{term}"] = jnp.mean(norm / jnp.maximum(total, 1e-20))
    return shares
