"""The optimiser of one agent; callers vmap over agents, so that nothing couples them."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from influence_jax.config import Hyperparams

# Scalings of gradients, without a learning rate.
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "rmsprop": functools.partial(optax.scale_by_rms, decay=0.99, eps=1e-5),
    "adam": functools.partial(optax.scale_by_adam, b1=0.9, b2=0.999, eps=1e-5),
}


def learning_rate(hparams: Hyperparams, progress: jax.Array) -> jax.Array:
    """Return the rate after the fraction ``progress f32[]`` of the run, linear between its two ends."""
    return hparams.learning_rate + progress * (hparams.learning_rate_end - hparams.learning_rate)


def clip_by_module(gradients: dict, max_norm: jax.Array) -> tuple[dict, dict[str, jax.Array]]:
    """Clip the model of others and all the rest each by its own global norm; return the norms before clipping.

    One clip for both would let a large prediction error shrink the step of the policy. The shared encoder counts with the
    policy.
    """
    modules = {"moa": {name for name in gradients if name.startswith("moa")}}
    modules["policy"] = set(gradients) - modules["moa"]
    clipped, norms = dict(gradients), {}
    for module, names in modules.items():
        if not names:
            continue
        part = {name: gradients[name] for name in names}
        norm = optax.tree.norm(part)
        factor = jnp.minimum(1.0, max_norm / jnp.maximum(norm, 1e-12))
        clipped |= jax.tree.map(lambda g, factor=factor: g * factor, part)
        norms[f"grad_norm_{module}"] = norm
    return clipped, norms


def apply_gradients(params, opt_state, gradients, optimizer, rate: jax.Array, max_norm: jax.Array):
    """Clip, scale and step one agent: ``(params, opt_state, norms)``."""
    gradients, norms = clip_by_module(gradients, max_norm)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
    return params, opt_state, norms
