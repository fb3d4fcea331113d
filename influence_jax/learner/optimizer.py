"""The optimiser of one agent. Callers vmap over agents, so that agents never share statistics."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from influence_jax.config import Hyperparams
from influence_jax.fusion import reciprocal


def scale_by_adam(b1: float, b2: float, eps: float) -> optax.GradientTransformation:
    """Scale by Adam's moments as optax does, but multiply by the `reciprocal` of the bias corrections."""

    def update(updates, state, params=None):
        del params
        count = optax.safe_increment(state.count)
        mu = optax.tree.update_moment(updates, state.mu, b1, 1)
        nu = optax.tree.update_moment_per_elem_norm(updates, state.nu, b2, 2)
        first, second = (reciprocal(1 - jnp.float32(decay) ** count) for decay in (b1, b2))
        updates = jax.tree.map(lambda m, n: m * first / (jnp.sqrt(n * second) + eps), mu, nu)
        return updates, optax.ScaleByAdamState(count=count, mu=mu, nu=nu)

    return optax.GradientTransformation(optax.scale_by_adam(b1, b2, eps).init, update)


def scale_head_bias_updates(factor: float) -> optax.GradientTransformation:
    """Multiply the updates of the biases of all heads (modules named ``"..._head"``).

    Adam moves every weight by about the learning rate, however small its gradient. A preference that holds in every state, such
    as not to fire, would therefore be learned by the recurrent core as much as by the bias, and would saturate the core before
    agents learn to see (docs/learner.md).
    """

    def hasten(path, update):
        is_bias = len(path) == 2 and path[0].key.endswith("_head") and path[1].key == "bias"
        return factor * update if is_bias else update

    return optax.stateless(lambda updates, _: jax.tree_util.tree_map_with_path(hasten, updates))


def adam() -> optax.GradientTransformation:
    """Scale by Adam, and move the biases of heads twenty times as far."""
    return optax.chain(scale_by_adam(b1=0.9, b2=0.999, eps=1e-8), scale_head_bias_updates(20.0))


# Gradient transformations without a learning rate. Our losses are means, where asynchronous actor-critics sum over 20 steps.
# RMSProp's epsilon, inside the root, is therefore their 1e-5 divided by 20 squared.
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "rmsprop": functools.partial(optax.scale_by_rms, decay=0.99, eps=2.5e-8),
    "adam": adam,
}


def learning_rate(hparams: Hyperparams, progress: jax.Array) -> jax.Array:
    """Return the learning rate after the fraction ``progress f32[]`` of the run, interpolated linearly between its two ends."""
    return hparams.learning_rate + progress * (hparams.learning_rate_end - hparams.learning_rate)


def clip_by_module(gradients: dict, max_norm: jax.Array) -> tuple[dict, dict[str, jax.Array]]:
    """Clip the gradients of the model of others, of a separate critic and of everything else, each by its own global norm.

    With one clip for all, a large error of a prediction or a value would shrink the step of the policy. A shared encoder belongs
    to the policy. Returns ``(gradients, norms before clipping)``.
    """
    modules = {"moa": {name for name in gradients if name.startswith("moa")}}
    values = {name for name in gradients if name == "critic" or name.endswith("value_head")}
    modules["critic"] = values if "critic" in gradients else set()
    modules["policy"] = set(gradients) - modules["moa"] - modules["critic"]
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
    """Clip, scale and apply the gradients of one agent; return ``(params, opt_state, norms)``."""
    gradients, norms = clip_by_module(gradients, max_norm)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    params = jax.tree.map(lambda p, u: p - rate * u, params, updates)
    return params, opt_state, norms | update_ratios(updates)


def update_ratios(updates: dict) -> dict[str, jax.Array]:
    """Return how far the weights of the encoder, the policy's core and its head moved, as mean fractions of the learning rate."""
    parts = {
        "encoder": updates.get("encoder"),
        "core": updates.get("policy"),
        "action_head": updates.get("action_head", {}).get("kernel"),
    }
    ratios = {}
    for name, part in parts.items():
        if part is not None:
            leaves = jax.tree.leaves(part)
            ratios[f"update_ratio_{name}"] = sum(jnp.abs(x).sum() for x in leaves) / sum(x.size for x in leaves)
    return ratios
