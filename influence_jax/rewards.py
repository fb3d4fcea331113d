"""Reward shaping, the influence curriculum and reward scaling."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jax.typing import ArrayLike

from influence_jax.config import Hyperparams
from influence_jax.fusion import reciprocal


@struct.dataclass
class Income:
    """What agents earn and how much influence they have, as means over all agents that decay over some hundred updates."""

    weight: jax.Array  # f32[], total weight of the means; approaches 1
    reward: jax.Array  # f32[], positive rewards per step, times weight
    influence: jax.Array  # f32[], nats per step, times weight

    def add(self, reward: jax.Array, influence: jax.Array) -> "Income":
        """Return the means with those of an update, ``f32[T,E,N]`` each."""

        def fade(old, new):
            return INCOME_KEPT * old + (1.0 - INCOME_KEPT) * new

        return Income(
            weight=fade(self.weight, 1.0),
            reward=fade(self.reward, jnp.maximum(reward, 0.0).mean()),
            influence=fade(self.influence, influence.mean()),
        )

    def per_nat(self) -> jax.Array:
        """Return the weight f32[] at which influence pays as much as the environment."""
        least = LEAST_INFLUENCE * jnp.maximum(self.weight, 1e-12)
        return self.reward * reciprocal(jnp.maximum(self.influence, least))


INCOME_KEPT = 0.99  # decay of the means per update
LEAST_INFLUENCE = 1e-6  # nats per step; weaker influence is noise, which no weight should amplify


def init_income() -> Income:
    """Return the means before any update."""
    nothing = jnp.zeros((), jnp.float32)
    return Income(weight=nothing, reward=nothing, influence=nothing)


def influence_weight(hparams: Hyperparams, progress: jax.Array, income: Income | None = None) -> jax.Array:
    """Return beta after the fraction ``progress f32[]`` of the run: a linear ramp from 0, then constant (section 3).

    With an ``income``, beta is what makes influence pay the fraction ``income_share`` of it.
    """
    weight = hparams.influence_weight if income is None else hparams.income_share * income.per_nat()
    rising = progress < hparams.influence_curriculum
    ramp = jnp.where(rising, progress / jnp.where(rising, hparams.influence_curriculum, 1.0), 1.0)
    return weight * ramp


def softened(reward: jax.Array, hparams: Hyperparams, progress: jax.Array) -> jax.Array:
    """Soften the fines in ``reward f32[T,E,N]`` after the fraction ``progress f32[]`` of the run.

    Over the first ``fine_softening`` of the run a reward r below -1 counts as ``-|r|^p``, with p rising linearly from 0 to 1.
    While everybody still fires, the others cost an agent far more than its own choices do, and it would learn from nothing but
    this noise. Reported returns are never softened.
    """
    rising = progress < hparams.fine_softening
    power = jnp.where(rising, progress / jnp.where(rising, hparams.fine_softening, 1.0), 1.0)
    fine = reward < -1.0
    return jnp.where(rising & fine, -(jnp.where(fine, -reward, 1.0) ** power), reward)


@dataclasses.dataclass(frozen=True)
class Shaper:
    """A map from the environment's rewards of all agents to each agent's reward.

    Attributes:
        init: ``(num_envs, num_agents) -> state``, the shaper's initial state.
        apply: ``(state, reward f32[T,E,N], first bool[T,E], hparams) -> (state, reward f32[T,E,N])``; hyper-parameters are f32[N]
            or scalars, and ``first`` marks the first step of each episode.
        observe: ``state -> f32[E,N]``, the part of the state that agents may observe (``learner.observe_rewards``), or None.
        numbers: hyper-parameters of its own by name, each declared by `influence_jax.settings.number`; ``hparams.own`` has them.
    """

    init: Callable[[int, int], Any]
    apply: Callable[[Any, jax.Array, jax.Array, Hyperparams], tuple[Any, jax.Array]]
    observe: Callable[[Any], jax.Array] | None = None
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)


def stateless(apply: Callable[[jax.Array, Hyperparams], jax.Array]) -> Shaper:
    """Wrap a function ``(reward f32[T,E,N], hparams) -> f32[T,E,N]`` as a shaper without state."""
    return Shaper(
        init=lambda num_envs, num_agents: (),
        apply=lambda state, reward, first, hparams: (state, apply(reward, hparams)),
    )


def individual(reward: jax.Array, hparams: Hyperparams) -> jax.Array:
    """Return each agent's own reward unchanged."""
    del hparams
    return reward


def prosocial(reward: jax.Array, hparams: Hyperparams) -> jax.Array:
    """Return ``r_k = e_k + eta sum_{i != k} e_i`` (section 10.5.2 of the supplement)."""
    return reward + hparams.prosocial_weight * (reward.sum(axis=-1, keepdims=True) - reward)


def inequity_averse(smoothed: jax.Array, reward: jax.Array, first: jax.Array, hparams: Hyperparams):
    """Subtract envy and guilt, computed from temporally smoothed rewards f32[E,N] (Hughes et al. 2018, equations 1 to 3)."""
    smoothed, levels = discounted_sums(smoothed, reward, first, hparams.discount * hparams.inequity_decay)
    ahead = levels[..., :, None] - levels[..., None, :]  # [T,E,i,j]: how far i is ahead of j
    others = max(1, reward.shape[-1] - 1)
    envy = jnp.maximum(-ahead, 0.0).sum(axis=-1) / others
    guilt = jnp.maximum(ahead, 0.0).sum(axis=-1) / others
    return smoothed, reward - hparams.envy * envy - hparams.guilt * guilt


SHAPERS: dict[str, Shaper] = {
    "individual": stateless(individual),
    "prosocial": stateless(prosocial),
    "inequity_averse": Shaper(
        init=lambda num_envs, num_agents: jnp.zeros((num_envs, num_agents), jnp.float32),
        apply=inequity_averse,
        observe=lambda smoothed: smoothed,
    ),
}


def discounted_sums(total: jax.Array, reward: jax.Array, first: jax.Array, decay: ArrayLike):
    """Sum the past ``reward f32[T,E,N]`` of each episode, discounted by ``decay`` per step.

    Starts from ``total f32[E,N]``. Returns the final sums and the sums after every step, f32[T,E,N].
    """

    def step(total, now):
        reward, first = now
        total = jnp.where(first[:, None], 0.0, total) * decay + reward
        return total, total

    return jax.lax.scan(step, total, (reward, first))


@struct.dataclass
class RewardScale:
    """Exponentially weighted moments of each agent's return, with half-life `RETURN_HALF_LIFE`."""

    discounted: jax.Array  # f32[E,N], discounted sum of rewards in the current episode
    weight: jax.Array  # f32[], total weight of the moments; approaches 1
    mean: jax.Array  # f32[N], multiplied by weight
    square: jax.Array  # f32[N], multiplied by weight

    def add(self, returns: jax.Array, shared: bool = False) -> "RewardScale":
        """Return the moments updated with ``returns f32[T,E,N]``, of all agents together if they are ``shared``."""
        keep = 0.5 ** (returns.shape[0] * returns.shape[1] / RETURN_HALF_LIFE)
        together = (0, 1, 2) if shared else (0, 1)

        def fade(old, new):
            return keep * old + (1.0 - keep) * new

        return dataclasses.replace(
            self,
            weight=fade(self.weight, 1.0),
            mean=fade(self.mean, returns.mean(axis=together)),
            square=fade(self.square, jnp.square(returns).mean(axis=together)),
        )

    def std(self, floor: float = 1.0) -> jax.Array:
        """Return the standard deviation of each agent's return f32[N], at least ``floor``; before any return it is ``floor``."""
        per_weight = reciprocal(jnp.maximum(self.weight, 1e-12))
        variance = self.square * per_weight - jnp.square(self.mean * per_weight)
        return jnp.sqrt(jnp.maximum(variance, floor**2))


RETURN_HALF_LIFE = 100_000  # environment steps; short enough that early fines do not hide later apples


def init_scale(num_envs: int, num_agents: int) -> RewardScale:
    """Return the moments before any reward."""
    zeros = jnp.zeros(num_agents, jnp.float32)
    return RewardScale(
        discounted=jnp.zeros((num_envs, num_agents), jnp.float32),
        weight=jnp.zeros((), jnp.float32),
        mean=zeros,
        square=zeros,
    )


def scale_rewards(
    scale: RewardScale, reward: jax.Array, first: jax.Array, discount: ArrayLike, shared: bool = False
) -> tuple[RewardScale, jax.Array]:
    """Update the moments with ``reward f32[T,E,N]`` and divide the reward by the standard deviation, at least 1.

    The mean is not subtracted, so ratios between rewards stay the same and the game does not change. With ``shared`` moments, all
    agents' rewards are divided by the same number. Returns ``(scale, reward)``.
    """
    discounted, returns = discounted_sums(scale.discounted, reward, first, discount)
    scale = dataclasses.replace(scale, discounted=discounted).add(returns, shared)
    return scale, reward * reciprocal(scale.std())
