"""How one agent learns from a rollout: advantage actor-critic, or PPO."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from influence_jax.config import Hyperparams, LearnerConfig
from influence_jax.learner.losses import (
    HeadBatch,
    clipped_surrogate,
    clipped_value_loss,
    policy_gradient,
    value_loss,
)

# (params, opt_state, batch, carry) -> (params, opt_state, logs), of one agent.
GradientStep = Callable[[Any, Any, Any, Any], tuple[Any, Any, dict[str, jax.Array]]]


@dataclasses.dataclass(frozen=True)
class A2C:
    """Advantage actor-critic: one gradient step on the whole rollout (Mnih et al. 2016)."""

    reuses_activations: ClassVar[bool] = True  # the only gradient step is taken with the parameters that acted
    normalises_advantages: ClassVar[bool] = False

    def losses(self, logits, value, head: HeadBatch, mask, hparams: Hyperparams) -> tuple[jax.Array, jax.Array]:
        """Return ``(policy loss, value loss)`` of one head for ``logits f32[T,E,A]``, ``value f32[T,E]``, ``mask bool[T,E]``."""
        del hparams
        return policy_gradient(logits, head.symbol, head.advantage, mask), value_loss(value, head.target, mask)

    def learn(self, step: GradientStep, params, opt_state, batch, carry, key: jax.Array):
        """Return ``(params, opt_state, logs)`` of one agent after a rollout ``[T,E]`` that started with ``carry [E]``."""
        del key
        return step(params, opt_state, batch, carry)


@dataclasses.dataclass(frozen=True)
class PPO:
    """Proximal policy optimisation: epochs of clipped steps on groups of environments (Schulman et al. 2017).

    A group keeps its environments' whole rollouts and starts from the recurrent states at their beginning. Rewards, including
    influence, stay as they were when the rollout was collected.
    """

    epochs: int
    minibatches: int  # per epoch
    reuses_activations: ClassVar[bool] = False
    normalises_advantages: ClassVar[bool] = True

    def losses(self, logits, value, head: HeadBatch, mask, hparams: Hyperparams) -> tuple[jax.Array, jax.Array]:
        """See `A2C.losses`."""
        policy = clipped_surrogate(logits, head.symbol, head.log_prob, head.advantage, mask, hparams.ppo_clip)
        old = head.target - head.advantage
        return policy, clipped_value_loss(value, old, head.target, mask, hparams.ppo_clip)

    def learn(self, step: GradientStep, params, opt_state, batch, carry, key: jax.Array):
        """See `A2C.learn`."""
        num_envs = batch.first.shape[1]
        keys = jax.random.split(key, self.epochs)
        groups = jax.vmap(lambda k: jax.random.permutation(k, jnp.arange(num_envs, dtype=jnp.int32)))(keys)
        groups = groups.reshape(self.epochs * self.minibatches, -1)

        def learn_group(carried, group):
            params, opt_state = carried
            data = jax.tree.map(lambda x: x[:, group], batch)
            before = jax.tree.map(lambda x: x[group], carry)
            params, opt_state, logs = step(params, opt_state, data, before)
            return (params, opt_state), logs

        (params, opt_state), logs = jax.lax.scan(learn_group, (params, opt_state), groups)
        return params, opt_state, jax.tree.map(lambda x: x.mean(axis=0), logs)


def _a2c(settings: LearnerConfig) -> A2C:
    del settings
    return A2C()


def _ppo(settings: LearnerConfig) -> PPO:
    return PPO(settings.ppo_epochs, settings.minibatches)


ALGORITHMS: dict[str, Callable[[LearnerConfig], A2C | PPO]] = {"a2c": _a2c, "ppo": _ppo}
