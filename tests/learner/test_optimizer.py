"""Clipping and optimisers against hand values and optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from influence_jax.config import Hyperparams
from influence_jax.learner.optimizer import OPTIMIZERS, apply_gradients, clip_by_module, learning_rate, update_ratios


def test_clipping_is_by_global_norm_per_module_and_per_agent():
    gradients = {
        "encoder": jnp.array([[3.0], [0.3]]),
        "policy": jnp.array([[4.0], [0.4]]),
        "moa": jnp.array([[0.1], [60.0]]),
        "moa_head": jnp.array([[0.0], [80.0]]),
    }
    clipped, norms = jax.vmap(clip_by_module, in_axes=(0, None))(gradients, 1.0)
    np.testing.assert_allclose(norms["grad_norm_policy"], [5.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(norms["grad_norm_moa"], [0.1, 100.0], rtol=1e-6)
    np.testing.assert_allclose(clipped["encoder"][:, 0], [0.6, 0.3], rtol=1e-6)
    np.testing.assert_allclose(clipped["policy"][:, 0], [0.8, 0.4], rtol=1e-6)
    np.testing.assert_allclose(clipped["moa"][:, 0], [0.1, 0.6], rtol=1e-6)


def test_a_critic_apart_has_a_clip_of_its_own():
    gradients = {"policy": jnp.array([0.3]), "value_head": jnp.array([60.0]), "critic": jnp.array([80.0])}
    clipped, norms = clip_by_module(gradients, 1.0)
    np.testing.assert_allclose([norms["grad_norm_policy"], norms["grad_norm_critic"]], [0.3, 100.0], rtol=1e-6)
    np.testing.assert_allclose([clipped[name][0] for name in gradients], [0.3, 0.6, 0.8], rtol=1e-6)
    together, _ = clip_by_module({name: gradients[name] for name in ("policy", "value_head")}, 1.0)
    np.testing.assert_allclose(together["policy"], [0.3 / np.hypot(0.3, 60)], rtol=1e-6)


def test_what_moves_is_a_fraction_of_the_rate():
    updates = {
        "encoder": {"kernel": jnp.array([0.5, -0.5])},
        "policy": {"a": jnp.array([0.0]), "b": jnp.array([1.0])},
        "action_head": {"kernel": jnp.array([0.2]), "bias": jnp.array([20.0])},
    }
    np.testing.assert_allclose(list(update_ratios(updates).values()), [0.5, 0.5, 0.2])


def test_optimizers_take_their_textbook_first_step():
    params, gradients = {"x": jnp.array([1.0])}, {"x": jnp.array([0.5])}
    for name, scaled in (("rmsprop", 0.5 / np.sqrt(0.01 * 0.25 + 2.5e-8)), ("adam", 1.0)):
        optimizer = OPTIMIZERS[name]()
        after, _, _ = apply_gradients(params, optimizer.init(params), gradients, optimizer, 0.1, 40.0)
        np.testing.assert_allclose(after["x"], 1 - 0.1 * scaled, rtol=1e-5, atol=1e-6)
    hparams = Hyperparams(learning_rate=1.0, learning_rate_end=0.2)
    np.testing.assert_allclose([learning_rate(hparams, p) for p in (0.0, 0.5, 1.0)], [1.0, 0.6, 0.2], rtol=1e-6)


def test_adam_moves_the_biases_of_heads_twenty_times_as_far():
    params = {
        "action_head": {"kernel": jnp.ones(2), "bias": jnp.ones(2)},
        "policy": {"core": {"bias": jnp.ones(2)}, "first": {"bias": jnp.ones(2)}},
    }
    gradients, optimizer = jax.tree.map(lambda x: 0.01 * x, params), OPTIMIZERS["adam"]()
    after, _, _ = apply_gradients(params, optimizer.init(params), gradients, optimizer, 0.001, 40.0)
    moved = jax.tree.map(lambda a, b: float(a[0] - b[0]), params, after)
    np.testing.assert_allclose(moved["action_head"].pop("bias"), 0.02, rtol=1e-4)
    np.testing.assert_allclose(jax.tree.leaves(moved), 0.001, rtol=1e-4)


def test_rmsprop_matches_optax():
    optimizer, reference = OPTIMIZERS["rmsprop"](), optax.rmsprop(0.1, decay=0.99, eps=2.5e-8)
    params = {"x": jnp.array([1.0, 2.0])}
    state, theirs, other = optimizer.init(params), params, reference.init(params)
    for step in range(3):
        gradients = {"x": jnp.array([0.1, -0.3]) * (step + 1)}
        params, state, _ = apply_gradients(params, state, gradients, optimizer, 0.1, 40.0)
        updates, other = reference.update(gradients, other)
        theirs = optax.apply_updates(theirs, updates)
    np.testing.assert_allclose(params["x"], theirs["x"], rtol=1e-6)
