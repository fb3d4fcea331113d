"""How a batch of games is laid out in memory.

A phase of a game is written for a whole batch: maps lead with it, ``[E,H,W]``, so that a view is a few runs of memory, and
everything about agents, lanes and lines trails it, ``[N,E]``, so that loops over the batch become vector instructions.
`batched` turns such a phase into one for a single game that can be vmapped, once or several times.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def batched(phase: Callable) -> Callable:
    """Let a method that is written for a batch be called for one game, and vmapped.

    The leaves of its arguments and results lead with the batch axis; what a caller does not vmap is repeated.
    """

    @functools.partial(jax.jit, static_argnums=0)  # so that a phase on its own, outside of any jit, is compiled once
    def for_one(self: Any, *args: Any) -> Any:
        @jax.custom_batching.custom_vmap
        def call(*args):
            return jax.tree.map(lambda x: x[0], phase(self, *jax.tree.map(lambda x: jnp.asarray(x)[None], args)))

        @call.def_vmap
        def call_batch(size, is_batched, *args):
            out = phase(self, *_repeated(size, args, tuple(is_batched)))
            return out, jax.tree.map(lambda _: True, out)

        return call(*args)

    @functools.wraps(phase)
    def method(self: Any, *args: Any) -> Any:
        return for_one(self, *args)

    return method


def replaced_where(replaced: jax.Array, make: Callable, args: tuple, old: Any) -> Any:
    """Return ``make(*args)`` where ``replaced bool[]``, else ``old``; vmapped, it makes nothing while nothing is replaced."""

    @jax.custom_batching.custom_vmap
    def choose(replaced, args, old):
        def select(new, old):
            return jnp.where(jnp.expand_dims(replaced, range(replaced.ndim, old.ndim)), new, old)

        return jax.lax.cond(jnp.any(replaced), lambda: jax.tree.map(select, make(*args), old), lambda: old)

    @choose.def_vmap
    def choose_batch(size, is_batched, replaced, args, old):
        replaced, old = _repeated(size, (replaced, old), (is_batched[0], is_batched[2]))
        in_axes = jax.tree.map(lambda is_batched: 0 if is_batched else None, tuple(is_batched[1]))
        chosen = replaced_where(replaced, jax.vmap(make, in_axes=in_axes, axis_size=size), args, old)
        return chosen, jax.tree.map(lambda _: True, chosen)

    return choose(replaced, args, old)


def _repeated(size: int, tree: Any, is_batched: Any) -> Any:
    """Return the tree with a batch axis of ``size`` on those leaves that have none."""
    return jax.tree.map(lambda x, batched: x if batched else jnp.broadcast_to(x, (size, *x.shape)), tree, is_batched)


def trailing(x: jax.Array) -> jax.Array:
    """Return [...,E] of ``x [E,...]``."""
    return jnp.moveaxis(x, 0, -1)


def leading(x: jax.Array) -> jax.Array:
    """Return [E,...] of ``x [...,E]``."""
    return jnp.moveaxis(x, -1, 0)
