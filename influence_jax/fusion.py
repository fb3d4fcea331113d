"""Fusion boundaries: where the compiler for a CPU is kept from merging loops."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata

from influence_jax.platforms import by_platform


def fusion_boundary(function: Callable) -> Callable:
    """Let the compiler for a CPU merge no loops of ``function`` with loops outside of it.

    XLA merges a loop into each of those that read its result, and computes it again in each, element by element, in
    whatever order they read: a word of a line, say, for each cell of the line. Everywhere else this changes nothing.
    """
    compiled = jax.jit(function)

    def kept_apart(*args: Any) -> Any:
        out = compiled(*args)
        first, *others = jax.tree.leaves(out)
        first = set_xla_metadata(first, inlineable="false")  # tags what the value comes from: the call
        return jax.tree.unflatten(jax.tree.structure(out), [first, *others])

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return by_platform(*args, cpu=kept_apart, default=compiled)

    return call


def reciprocal(x: jax.Array) -> jax.Array:
    """Return 1 / x, for numbers by which many others are divided.

    A compiler may turn such a division into a product, and the inverse of a root into one instruction, and does so in a program
    for one device where it does not in one for several: the last bit of what is learned would depend on how members are laid
    over devices.
    """
    return 1.0 / jax.lax.optimization_barrier(x)
