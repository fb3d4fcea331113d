"""Reordering axes: agents and environments, each agent and the others, and small axes for inner loops."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Tree = TypeVar("Tree")


def agents_first(tree: Tree) -> Tree:
    """Swap the environment and the agent axis of every array: ``[E,N,...] -> [N,E,...]`` and back."""
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), tree)


def others(x: jax.Array) -> jax.Array:
    """Return for each agent the entries of the others, in ascending order: ``[E,N] -> [E,N,N-1]``."""
    return x[:, others_index(x.shape[1])]


def own_first(x: jax.Array) -> jax.Array:
    """Return for each agent its own entry, then those of the others: ``[E,N] -> [E,N,N]``."""
    return jnp.concatenate([x[..., None], others(x)], axis=-1)


def drop_diagonal(x: jax.Array) -> jax.Array:
    """Drop each agent's pair with itself: ``[..., N,N] -> [..., N,N-1]``."""
    n = x.shape[-1]
    return x[..., np.arange(n)[:, None], others_index(n)]


def insert_diagonal(x: jax.Array) -> jax.Array:
    """Undo `drop_diagonal`, with zeros on the diagonal: ``[..., N,N-1] -> [..., N,N]``."""
    n = x.shape[-2]
    row, column = np.indices((n, n))
    source = np.where(row == column, n - 1, column - (column > row))
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 1)])[..., row, source]


def others_index(n: int) -> np.ndarray:
    """Return i32[N,N-1]: for each agent the numbers of the others, in ascending order."""
    return np.array([[j for j in range(n) if j != k] for k in range(n)], dtype=np.int32).reshape(n, n - 1)


def small_axes_first(x: jax.Array, count: int) -> jax.Array:
    """Move the last ``count`` axes to the front, the very last first.

    Alternatives and actions are axes of a few entries each. With environments last, loops over environments become vector
    instructions. Two moves in a row are free because the compiler cancels them.
    """
    axes = range(x.ndim)
    return x.transpose(*reversed(axes[x.ndim - count :]), *axes[: x.ndim - count])


def small_axes_last(x: jax.Array, count: int) -> jax.Array:
    """Undo `small_axes_first`."""
    axes = range(x.ndim)
    return x.transpose(*axes[count:], *reversed(axes[:count]))
