"""Axes: agents and environments, each agent and the others, and which axes the inner loops run over."""

import jax
import jax.numpy as jnp
import numpy as np


def agents_first(tree: jax.Array) -> jax.Array:
    """Exchange the environment and the agent axis of every array: ``[E,N,...] -> [N,E,...]`` and back."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), tree)


def others(x: jax.Array) -> jax.Array:
    """For each agent the entries of the others, ascending: ``[E,N] -> [E,N,N-1]``."""
    return x[:, others_index(x.shape[1])]


def own_first(x: jax.Array) -> jax.Array:
    """For each agent its own entry, then those of the others: ``[E,N] -> [E,N,N]``."""
    return jnp.concatenate([x[..., None], others(x)], axis=-1)


def drop_diagonal(x: jax.Array) -> jax.Array:
    """For each agent the entries of its pairs with others: ``[..., N,N] -> [..., N,N-1]``."""
    n = x.shape[-1]
    return x[..., np.arange(n)[:, None], others_index(n)]


def insert_diagonal(x: jax.Array) -> jax.Array:
    """Undo `drop_diagonal`, with zeros on the diagonal: ``[..., N,N-1] -> [..., N,N]``."""
    n = x.shape[-2]
    row, column = np.indices((n, n))
    source = np.where(row == column, n - 1, column - (column > row))
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 1)])[..., row, source]


def others_index(n: int) -> np.ndarray:
    """Return i32[N,N-1]: for each agent the others, ascending."""
    return np.array([[j for j in range(n) if j != k] for k in range(n)], dtype=np.int32).reshape(n, n - 1)


def small_axes_first(x: jax.Array, count: int) -> jax.Array:
    """Move the last ``count`` axes to the front, the very last first.

    Sums over alternatives and actions are over a few numbers each; with environments along the last axis, loops over those
    become vector instructions. Two moves in a row cost nothing, as the compiler cancels them.
    """
    axes = range(x.ndim)
    return x.transpose(*reversed(axes[x.ndim - count :]), *axes[: x.ndim - count])


def small_axes_last(x: jax.Array, count: int) -> jax.Array:
    """Undo `small_axes_first`."""
    axes = range(x.ndim)
    return x.transpose(*axes[count:], *reversed(axes[:count]))
