"""Many members in one program: seeds and hyper-parameter draws are one leading axis, S."""

import jax
import jax.numpy as jnp

from influence_jax.config import ExperimentConfig, Hyperparams
from influence_jax.learner.train import Learner
from influence_jax.learner.update import LearnerState
from influence_jax.runtime.compilation import compiler_options


def member_keys(config: ExperimentConfig) -> jax.Array:
    """Return each member's key. Member ``i`` of a population is the same run as a solo run with seed ``seed + i``."""
    return jax.vmap(jax.random.key)(config.seed + jnp.arange(config.seeds))


def repeat_hyperparams(config: ExperimentConfig) -> Hyperparams:
    """Return the configured hyper-parameters as ``f32[S]`` each."""
    return jax.tree.map(lambda x: jnp.full((config.seeds,), x, jnp.float32), config.hyperparams)


def init_population(learner: Learner) -> LearnerState:
    """Start every member; leading axis S."""
    return jax.jit(jax.vmap(learner.init))(member_keys(learner.config))


def compile_chunk(learner: Learner):
    """Return ``(state, hparams f32[S], num_updates f32[]) -> (state, metrics [S, ...])``; the state is donated."""
    chunk = jax.vmap(learner.chunk, in_axes=(0, 0, None))
    return jax.jit(chunk, donate_argnums=0, compiler_options=compiler_options())
