"""Compiled functions of an experiment or game, of which only the most recent are kept."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

import jax

from influence_jax.learner.learner import Learner
from influence_jax.platforms import usual_tracing

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

KEPT = 3  # the most recently used programs of each function


def compiled(
    num_static: int = 1,
) -> Callable[[Callable[[*Arguments], Result]], Callable[[*Arguments], Result]]:
    """Compile a function for each value of its first ``num_static`` arguments, such as a learner, which are not traced.

    ``jax.jit(static_argnums=...)`` would keep every program and its arguments alive, so a process that evaluates many
    experiments would grow with each.
    """

    def decorate(function: Callable[[*Arguments], Result]) -> Callable[[*Arguments], Result]:
        @functools.lru_cache(maxsize=KEPT)
        def program(*static: Any) -> Callable:
            return jax.jit(functools.partial(function, *static))

        @functools.wraps(function)
        @usual_tracing()
        def call(*args: *Arguments) -> Result:
            static = (x.template if isinstance(x, Learner) else x for x in args[:num_static])
            return program(*static)(*args[num_static:])

        return call

    return decorate
