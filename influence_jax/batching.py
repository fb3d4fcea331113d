"""How a batch of games is laid out in memory.

A kernel works on a whole batch. Maps have the batch first, ``[E,H,W]``, so that a view is a few runs of memory. Everything
about agents, lanes and lines has it last, ``[N,E]``, so that loops over the batch become vector instructions. `batched` turns
such a kernel into a function of one game that can be vmapped, once or several times.
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def batched(kernel: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Turn a function of a batch into a function of one game that can be vmapped.

    Positional arguments and results are trees whose leaves have the batch axis first; arguments that are not vmapped are
    repeated. Keyword arguments are static: numbers, and NumPy masks that are the same in all games.
    """

    @functools.partial(jax.jit, static_argnums=0)  # so that a call outside of any jit is compiled once
    @functools.wraps(kernel)
    def for_one(static: _Static, *args: Any) -> Any:
        @jax.custom_batching.custom_vmap
        def call(*args):
            first = kernel(*jax.tree.map(lambda x: jnp.asarray(x)[None], args), **static.values)
            return jax.tree.map(lambda x: x[0], first)

        @call.def_vmap
        def call_batch(size, is_batched, *args):
            out = kernel(*_repeated(size, args, tuple(is_batched)), **static.values)
            return out, jax.tree.map(lambda _: True, out)

        return call(*args)

    @functools.wraps(kernel)
    def primitive(*args: Arguments.args, **static: Arguments.kwargs) -> Result:
        return for_one(_Static(static), *args)

    return primitive


class _Static:
    """Static arguments compared by value, since masks cannot be hashed."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        arrays = {name: np.asarray(value) for name, value in sorted(values.items())}
        self._key = tuple((name, x.shape, x.dtype.str, x.tobytes()) for name, x in arrays.items())

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Static) and self._key == other._key


def replaced_where(replaced: jax.Array, make: Callable, args: tuple, old: Any) -> Any:
    """Return ``make(*args)`` if ``replaced bool[]``, else ``old``; a vmap skips ``make`` unless some entry is replaced."""

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
    """Return the tree with a batch axis of ``size`` added to leaves without one."""
    return jax.tree.map(lambda x, batched: x if batched else jnp.broadcast_to(x, (size, *x.shape)), tree, is_batched)


def trailing(x: jax.Array) -> jax.Array:
    """Move the first axis to the end: ``[E,...] -> [...,E]``."""
    return jnp.moveaxis(x, 0, -1)


def leading(x: jax.Array) -> jax.Array:
    """Move the last axis to the front: ``[...,E] -> [E,...]``."""
    return jnp.moveaxis(x, -1, 0)
