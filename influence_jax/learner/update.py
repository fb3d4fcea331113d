"""One update, top to bottom: act, pay, learn."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax import rewards
from influence_jax.config import Hyperparams
from influence_jax.learner.agent_update import AGENTS, agent_batches, gradient_step
from influence_jax.learner.learner import Learner
from influence_jax.learner.losses import explained_variance
from influence_jax.learner.optimizer import learning_rate
from influence_jax.learner.pay import in_units, paid
from influence_jax.learner.report import report
from influence_jax.learner.rollout import rollout
from influence_jax.learner.state import LearnerState
from influence_jax.metrics import Mean

CAUSES = (
    "reward",
    "influence reward",
    "policy or value",
    "loss or gradient",
    "parameters",
)  # in the order in which an update computes them


def update(learner: Learner, state: LearnerState, num_updates: jax.Array) -> tuple[LearnerState, dict[str, Mean]]:
    """Do one update of every agent; ``num_updates f32[]`` is the length of the run, to which schedules refer.

    A member with a number that is not finite keeps its last good state for good, and ``failure`` records the cause.
    """
    hparams = state.hyperparams
    progress = state.update / num_updates

    # Act.
    key = jax.random.fold_in(state.key, state.update)
    soften = functools.partial(rewards.softened, hparams=hparams, progress=progress)
    rollout_state, trajectory, bootstrap = rollout(
        learner, state.member, state.rollout_state, learner.rollout_length, key, soften
    )

    # Pay.
    pay = paid(learner, state, trajectory, bootstrap, progress, jax.random.fold_in(key, learner.rollout_length + 1))

    # Learn: every agent separately, unless they share parameters.
    rate = learning_rate(hparams, progress)
    weighted = with_exploration(hparams, progress)
    if not learner.algorithm.normalises_advantages:
        weighted = in_units(weighted, pay.units)
    batch = agent_batches(learner, hparams, trajectory, bootstrap.samples, pay.reward)
    keys = jax.random.split(jax.random.fold_in(key, learner.rollout_length + 2), trajectory.reward.shape[-1])

    def learn(hparams, rate, params, opt_state, batch, carry, key):
        step = functools.partial(gradient_step, learner, hparams, rate)
        return learner.algorithm.learn(step, params, opt_state, batch, carry, key)

    params, opt_state, logs = jax.vmap(learn, axis_name=AGENTS)(
        weighted, rate, state.params, state.opt_state, batch, state.rollout_state.carry, keys
    )
    logs |= {
        f"{'' if name == 'action' else name + '_'}explained_variance": jax.vmap(explained_variance)(
            head.target, head.advantage, batch.valid
        )
        for name, head in batch.heads.items()
    }

    # Check.
    chosen = trajectory.actor_output.samples, bootstrap.samples
    learned = params, opt_state, pay.scale, rollout_state.carry
    checked = pay.shaped, pay.influence, chosen, logs, learned
    finite = jnp.stack([all_finite(x) for x in checked])
    failure = jnp.where(finite.all(), 0, 1 + jnp.argmin(finite)).astype(jnp.int32)
    failure = jnp.where(state.failure > 0, state.failure, failure)  # even if a longer run changes the schedules

    # Report.
    logs |= {"current_influence_weight": pay.influence_weight, "current_learning_rate": rate}
    logs |= {f"{'' if head == 'action' else head + '_'}reward_std": x for head, x in pay.units.items()}
    episode_sums, logs = report(learner, hparams, state.episode_sums, trajectory, bootstrap, logs)
    after = dataclasses.replace(
        state,
        params=params,
        opt_state=opt_state,
        rollout_state=dataclasses.replace(rollout_state, shaper_state=pay.shaper_state),
        reward_scale=pay.scale,
        income=pay.income,
        episode_sums=episode_sums,
        update=state.update + 1,
    )
    ok = failure == 0
    state = jax.tree.map(lambda new, old: new if new is old else jax.lax.select(ok, new, old), after, state)
    # A frozen member repeats the same update, which does not count.
    logs = jax.tree.map(lambda x: jax.lax.select(ok, x, jnp.zeros_like(x)), logs)
    return dataclasses.replace(state, failure=failure), logs


def all_finite(tree: Any) -> jax.Array:
    """Return bool[]: whether every number is finite."""
    numbers = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.stack([jnp.isfinite(x).all() for x in numbers]).all()


def with_exploration(hparams: Hyperparams, progress: jax.Array) -> Hyperparams:
    """Return the hyper-parameters with the entropy weights that hold after the fraction ``progress f32[]`` of the run."""
    left = jnp.clip(1.0 - progress / jnp.maximum(hparams.exploration_fraction, 1e-9), 0.0)
    extra = hparams.exploration * left
    return hparams.replace(
        entropy_coef=hparams.entropy_coef + extra, message_entropy_coef=hparams.message_entropy_coef + extra
    )
