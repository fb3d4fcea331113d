"""The rewards that agents learn from: the environment's rewards as shaped, plus influence."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from influence_jax import rewards
from influence_jax.config import ConfigError, Hyperparams
from influence_jax.fusion import reciprocal
from influence_jax.influence.controls import controlled_influence_reward
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import LearnerState
from influence_jax.rewards import Income, RewardScale
from influence_jax.types import ActorOutput, Trajectory


@struct.dataclass
class Pay:
    """The rewards of a rollout, and the statistics that are carried to the next one."""

    shaped: jax.Array  # f32[T,E,N], the environment's rewards as shaped
    influence: jax.Array  # f32[T,E,N] nats, or a control of it
    influence_weight: jax.Array  # f32[N], rewards per nat
    reward: dict[str, jax.Array]  # f32[T,E,N] by head, their sum in the unit of the losses
    units: dict[str, jax.Array]  # f32[N] or f32[] by head, that unit in units of the environment's reward
    shaper_state: Any
    scale: dict[str, RewardScale]  # by head
    income: Income | None


def paid(
    learner: Learner,
    state: LearnerState,
    trajectory: Trajectory,
    bootstrap: ActorOutput,
    progress: jax.Array,
    key: jax.Array,
) -> Pay:
    """Shape the rewards of a rollout, add influence and scale the sum.

    ``progress f32[]`` is the fraction of the run that is done, and ``key`` is for random draws of the control.
    """
    hparams = state.hyperparams
    extrinsic = rewards.softened(trajectory.reward, hparams, progress)
    shaper_state, shaped = learner.shaper.apply(state.rollout_state.shaper_state, extrinsic, trajectory.first, hparams)
    if shaped.shape != trajectory.reward.shape:
        raise ConfigError(
            f"learner.shaper returned rewards of shape {list(shaped.shape)}; allowed: {list(trajectory.reward.shape)}."
        )
    influence = controlled_influence_reward(
        learner.model,
        learner.control,
        key,
        trajectory,
        bootstrap,
        hparams,
        learner.bonus_actions,
    )
    income = None if state.income is None else state.income.add(shaped, influence)
    influence_weight = rewards.influence_weight(hparams, progress, income)
    reward = {"action": hparams.extrinsic_weight * shaped, "message": hparams.message_extrinsic_weight * shaped}
    reward[learner.model.channel] += influence_weight * influence
    scale, units = state.reward_scale, {head: jnp.float32(1) for head in state.reward_scale}
    if learner.scale_rewards:
        for head in scale:
            scaled = rewards.scale_rewards(
                scale[head], reward[head], trajectory.first, hparams.discount, learner.share_parameters
            )
            scale, reward[head] = scale | {head: scaled[0]}, scaled[1]
        units = {head: moments.std() for head, moments in scale.items()}
    return Pay(shaped, influence, influence_weight, reward, units, shaper_state, scale, income)


def in_units(hparams: Hyperparams, units: dict[str, jax.Array]) -> Hyperparams:
    """Return the hyper-parameters with the weights that compete with rewards, divided by the same units as the rewards."""
    per_unit = {head: reciprocal(unit) for head, unit in units.items()}
    return hparams.replace(
        entropy_coef=hparams.entropy_coef * per_unit["action"],
        message_entropy_coef=hparams.message_entropy_coef * per_unit.get("message", 1.0),
        moa_loss_weight=hparams.moa_loss_weight * per_unit["action"],
        listening_weight=hparams.listening_weight * per_unit["action"],
    )
