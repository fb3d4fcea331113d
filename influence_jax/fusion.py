"""Fusion boundaries: keeping XLA for a CPU from fusing loops."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from influence_jax.platforms import by_platform

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


def fusion_boundary(function: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
    """Keep XLA for a CPU from fusing loops inside ``function`` with loops outside of it.

    XLA fuses a loop into every loop that reads its result, and recomputes it there element by element in the order of reading:
    a word per line, for example, for every cell of the line. On other platforms a boundary has no effect.
    """
    compiled = jax.jit(function)

    def kept_apart(*args: Any) -> Any:
        out = compiled(*args)
        first, *others = jax.tree.leaves(out)
        first = set_xla_metadata(first, inlineable="false")  # tags the operation that produces the value, the call
        return jax.tree.unflatten(jax.tree.structure(out), [first, *others])

    @functools.wraps(function)
    def call(*args: *Arguments) -> Result:
        return by_platform(*args, cpu=kept_apart, default=compiled)

    return call


def reciprocal(x: jax.Array) -> jax.Array:
    """Return 1 / x, to multiply by instead of dividing by x.

    A compiler may turn a division into a product, or the inverse of a root into one instruction, and may do so in a program
    for one device but not in one for several. The last bit of a result would then depend on the placement of members on
    devices.
    """
    return 1.0 / jax.lax.optimization_barrier(x)
