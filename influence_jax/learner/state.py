"""The states of acting and of learning."""

from typing import Any

import jax
from flax import struct

from influence_jax.config import Hyperparams
from influence_jax.metrics import EpisodeSums
from influence_jax.rewards import Income, RewardScale
from influence_jax.types import TimeStep, arrays_repr


@struct.dataclass
class RolloutState:
    """Everything that acting carries from one step to the next."""

    __repr__ = arrays_repr

    env_state: Any  # leading E
    timestep: TimeStep  # leading E
    carry: Any  # {branch: carry}, leading [N,E]
    memory: Any  # of the influence model
    shaper_state: Any  # of the reward shaper


@struct.dataclass
class Member:
    """What one member of a population acts with."""

    __repr__ = arrays_repr

    params: Any  # of the networks, leading N
    env_params: Any  # the environment parameters
    hyperparams: Hyperparams  # f32[N] each


@struct.dataclass
class LearnerState:
    """The complete state of one member between two updates."""

    __repr__ = arrays_repr

    params: Any  # leading N
    opt_state: Any  # leading N
    rollout_state: RolloutState
    reward_scale: dict[str, RewardScale]  # by head
    income: Income | None  # None unless the influence weight follows it
    episode_sums: EpisodeSums
    hyperparams: Hyperparams  # f32[N] each; never changes
    env_params: Any  # the environment parameters; never changes
    key: jax.Array  # the run's key; never changes, counters are folded in
    update: jax.Array  # i32[], updates done
    failure: jax.Array  # i32[]: 0, or 1 + the index in `update.CAUSES` of what was not finite; the state is then frozen

    @property
    def member(self) -> Member:
        """What this member acts with."""
        return Member(params=self.params, env_params=self.env_params, hyperparams=self.hyperparams)
