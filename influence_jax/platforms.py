"""Functions that have a form of their own for some platforms."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

_alone = jax.make_user_context(None)  # the one platform that is traced for; None: any


def by_platform(*args: Any, default: Callable, **forms: Callable) -> Any:
    """Call the form for the platform that a program is compiled for, ``cpu``, ``cuda`` or ``tpu``, or else ``default``.

    As `jax.lax.platform_dependent`, which traces every form and chooses when it lowers; but within `traced_for` the others are
    not even traced, which is a third of the time that tracing takes.
    """
    if _alone.value is None:
        return jax.lax.platform_dependent(*args, default=default, **forms)
    return forms.get(_alone.value, default)(*args)


def traced_for(platform: str | None) -> contextlib.AbstractContextManager:
    """Trace for one platform alone, or again for any, ``None``; what is traced so must not be lowered for another one."""
    return _alone(platform)


@contextlib.contextmanager
def usual_promotion() -> Iterator[None]:
    """Broadcast and promote as JAX does by default; a decorator, too.

    A process may be strict (``jax_numpy_rank_promotion``, ``jax_numpy_dtype_promotion``) to find faults in code of its own;
    results do not depend on these settings.
    """
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@contextlib.contextmanager
def usual_tracing() -> Iterator[None]:
    """Trace as programs of this package are traced, with `usual_promotion`, for a CPU alone where there is nothing else."""
    alone = "cpu" if jax.default_backend() == "cpu" else None
    with usual_promotion(), traced_for(alone):
        yield
